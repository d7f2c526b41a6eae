"""Views of DINO (arXiv:2104.14294, section 3)."""

from ...image_processing_utils import MultiCropImageProcessor


class DinoImageProcessor(MultiCropImageProcessor):
    """
    Multi-crop: the first large crop is always blurred, the second seldom blurred and sometimes solarised. What the
    attributes mean: see [`MultiCropImageProcessor`].
    """

    # Arguments of the official `main_dino.py`.
    global_crop_size: int | None = None  # that of inference: 224
    global_crop_scale: list = [0.4, 1.0]
    global_crops: int = 2
    local_crop_size: int = 96
    local_crop_scale: list = [0.05, 0.4]
    local_crops: int = 8
    # Its `DataAugmentationDINO`, a list has the first large crop, the second, and the small ones.
    crop_ratio: list = [3 / 4, 4 / 3]  # torchvision's RandomResizedCrop as it is
    flip_probability: float = 0.5
    color_jitter: list = [0.4, 0.4, 0.2, 0.1]
    color_jitter_probability: float = 0.8
    grayscale_probability: float = 0.2
    blur_probability: float | list = [1.0, 0.1, 0.5]
    blur_sigma: list = [0.1, 2.0]
    solarize_probability: float | list = [0.0, 0.2, 0.0]
