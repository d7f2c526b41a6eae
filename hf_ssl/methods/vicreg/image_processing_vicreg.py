"""Views of VICReg (arXiv:2105.04906, appendix C.1: those of BYOL, both views alike)."""

from ...image_processing_utils import TwoViewImageProcessor


class VICRegImageProcessor(TwoViewImageProcessor):
    """
    Two views; as in the official code, and unlike the paper, the first is always blurred, the second seldom blurred
    and sometimes solarised. What the attributes mean: see [`TwoViewImageProcessor`].
    """

    # `TrainTransform` of the official code, a list has its `transform` and its `transform_prime`.
    view_size: int | None = None  # that of inference: 224
    views_per_image: int = 2
    crop_scale: list = [0.08, 1.0]  # torchvision's RandomResizedCrop as it is; appendix C.1
    crop_ratio: list = [3 / 4, 4 / 3]  # the same
    flip_probability: float = 0.5
    color_jitter: list = [0.4, 0.4, 0.2, 0.1]
    color_jitter_probability: float = 0.8
    grayscale_probability: float = 0.2
    blur_probability: float | list = [1.0, 0.1]
    blur_sigma: list = [0.1, 2.0]
    solarize_probability: float | list = [0.0, 0.2]
