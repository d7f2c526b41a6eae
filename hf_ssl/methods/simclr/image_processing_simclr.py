"""Views of SimCLR (arXiv:2002.05709, appendix A)."""

from ...image_processing_utils import TwoViewImageProcessor


class SimCLRImageProcessor(TwoViewImageProcessor):
    """Two views, or more, under one policy, with colour jitter at strength 1; see [`TwoViewImageProcessor`]."""

    color_jitter: list = [0.8, 0.8, 0.8, 0.2]
