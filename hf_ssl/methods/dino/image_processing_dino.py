"""Views of DINO (arXiv:2104.14294, section 3; values of the official code)."""

from ...image_processing_utils import MultiCropImageProcessor


class DinoImageProcessor(MultiCropImageProcessor):
    """
    Multi-crop: the first large crop is always blurred, the second seldom blurred and sometimes solarised; see
    [`MultiCropImageProcessor`].
    """

    global_crop_scale: list = [0.4, 1.0]
    local_crop_scale: list = [0.05, 0.4]
    local_crops: int = 8
    color_jitter: list = [0.4, 0.4, 0.2, 0.1]
    blur_probability: list = [1.0, 0.1, 0.5]
    solarize_probability: list = [0.0, 0.2, 0.0]
