"""Views of SimSiam (arXiv:2011.10566, appendix A, those of MoCo v2)."""

from ...image_processing_utils import TwoViewImageProcessor


class SimSiamImageProcessor(TwoViewImageProcessor):
    """
    Two views under one policy. What the attributes mean: see [`TwoViewImageProcessor`].
    """

    # Appendix A.
    view_size: int | None = None  # that of inference: 224
    views_per_image: int = 2
    crop_scale: list = [0.2, 1.0]
    crop_ratio: list = [3 / 4, 4 / 3]  # torchvision's RandomResizedCrop as it is
    flip_probability: float = 0.5
    color_jitter: list = [0.4, 0.4, 0.4, 0.1]
    color_jitter_probability: float = 0.8
    grayscale_probability: float = 0.2
    blur_probability: float | list = 0.5
    blur_sigma: list = [0.1, 2.0]
