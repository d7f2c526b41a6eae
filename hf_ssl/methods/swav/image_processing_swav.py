"""Views of SwAV (arXiv:2006.09882, section 3.2; values of the official code)."""

from ...image_processing_utils import MultiCropImageProcessor


class SwAVImageProcessor(MultiCropImageProcessor):
    """Multi-crop: two large and six small crops under one policy; see [`MultiCropImageProcessor`]."""

    color_jitter: list = [0.8, 0.8, 0.8, 0.2]
