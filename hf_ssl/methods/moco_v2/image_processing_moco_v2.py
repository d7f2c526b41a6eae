"""Views of MoCo v2 (arXiv:2003.04297, section 3; `--aug-plus` of the official code)."""

from ...image_processing_utils import TwoViewImageProcessor


class MoCoV2ImageProcessor(TwoViewImageProcessor):
    """Two views under one policy; see [`TwoViewImageProcessor`]."""

    crop_scale: list = [0.2, 1.0]
