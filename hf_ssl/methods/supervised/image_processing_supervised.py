"""Views of supervised training (torchvision's ImageNet reference): a crop and a flip."""

from ...image_processing_utils import TwoViewImageProcessor


class SupervisedImageProcessor(TwoViewImageProcessor):
    """
    One view, cropped and flipped at random. What the attributes mean: see [`TwoViewImageProcessor`].
    """

    # torchvision's reference: RandomResizedCrop and RandomHorizontalFlip as they are.
    view_size: int | None = None  # that of inference: 224
    views_per_image: int = 1
    crop_scale: list = [0.08, 1.0]
    crop_ratio: list = [3 / 4, 4 / 3]
    flip_probability: float = 0.5
    # No part of the reference, and off: strengths are those of MoCo v2, for whoever turns them on.
    color_jitter: list = [0.4, 0.4, 0.4, 0.1]
    color_jitter_probability: float = 0.0
    grayscale_probability: float = 0.0
    blur_probability: float | list = 0.0
    blur_sigma: list = [0.1, 2.0]
    solarize_probability: float | list = 0.0
    rotate_probability: float = 0.0
