"""Batched views: tensors in, float tensors in [0, 1] out, a random draw of its own for each sample."""

from .color import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    color_jitter,
    solarize,
    to_float,
    to_grayscale,
)
from .operators import OPERATORS, augment
from .ops import cutout, gaussian_blur, gaussian_noise, horizontal_flip, rotate90, shift, sobel
from .patches import grid_patches
from .randaugment import RANDAUGMENT_OPS, RandAugmentDraws, draw_randaugment, randaugment
from .resize import crop_resize, random_crop_boxes
from .views import ViewPolicy, make_view

__all__ = [
    "OPERATORS",
    "RANDAUGMENT_OPS",
    "RandAugmentDraws",
    "ViewPolicy",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "augment",
    "color_jitter",
    "crop_resize",
    "cutout",
    "draw_randaugment",
    "gaussian_blur",
    "gaussian_noise",
    "grid_patches",
    "horizontal_flip",
    "make_view",
    "random_crop_boxes",
    "randaugment",
    "rotate90",
    "shift",
    "sobel",
    "solarize",
    "to_float",
    "to_grayscale",
]
