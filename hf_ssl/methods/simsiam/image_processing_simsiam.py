"""Views of SimSiam (arXiv:2011.10566, section 4: those of MoCo v2)."""

from ...image_processing_utils import TwoViewImageProcessor


class SimSiamImageProcessor(TwoViewImageProcessor):
    """Two views under one policy; see [`TwoViewImageProcessor`]."""

    crop_scale: list = [0.2, 1.0]
