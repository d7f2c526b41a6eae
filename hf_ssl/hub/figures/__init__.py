"""
Pictures of a run for its card. Each function writes a PNG to `path`, makes its folder, and returns it as a `Path`.

Images are `(channels, height, width)` with 1 or 3 channels, stacked in a tensor or in a list: uint8, or float in 0..1.
All functions raise an `ImportError` without matplotlib and a `ValueError` for input that does not fit together.
"""

from .attention import save_attention
from .curve import save_curve
from .neighbours import save_neighbours
from .patch_features import save_patch_features
from .reconstructions import save_reconstructions
from .views import save_views

__all__ = [
    "save_attention",
    "save_curve",
    "save_neighbours",
    "save_patch_features",
    "save_reconstructions",
    "save_views",
]
