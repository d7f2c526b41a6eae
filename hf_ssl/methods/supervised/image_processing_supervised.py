"""Views of supervised training (torchvision's ImageNet reference): a crop and a flip."""

from ...image_processing_utils import TwoViewImageProcessor


class SupervisedImageProcessor(TwoViewImageProcessor):
    """One view, cropped and flipped at random; see [`TwoViewImageProcessor`]."""

    views_per_image: int = 1
    color_jitter_probability: float = 0.0
    grayscale_probability: float = 0.0
    blur_probability: float | list = 0.0
