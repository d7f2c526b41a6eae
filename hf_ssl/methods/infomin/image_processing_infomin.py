"""Views of InfoMin (arXiv:2005.10243, section 4; `--aug D` and the jigsaw of the official code)."""

from collections.abc import Mapping
from typing import Any

import torch

from ...augment import RANDAUGMENT_OPS, ViewPolicy, grid_patches, make_view
from ...image_processing_utils import TwoViewImageProcessor


class InfoMinImageProcessor(TwoViewImageProcessor):
    r"""
    Two views under one strong policy, with RandAugment between blur and grey, and shuffled patches of a third crop,
    whose colours are left alone. What the attributes that are not explained below mean: see
    [`TwoViewImageProcessor`].

    Args:
        randaugment_ops (`list[str]`, *optional*): operators to draw from, of `RANDAUGMENT_OPS`; by default all but
            the identity, and `[]` for no RandAugment.
        randaugment_layers (`int`, *optional*, defaults to 2): operators in a row, drawn with replacement.
        randaugment_probability (`float`, *optional*, defaults to 0.5): of each of them to act.
        randaugment_magnitude (`float`, *optional*, defaults to 10.0): mean strength, at most 10.
        randaugment_magnitude_std (`float`, *optional*, defaults to 0.5): its standard deviation; clamped to [0, 10].
        jigsaw_grid (`int`, *optional*, defaults to 3): cells on a side of the third crop, a patch in each; 0 for no
            patches, together with `InfoMinConfig.jigsaw_patches`.
        jigsaw_size (`int`, *optional*, defaults to 255): side of the third crop in pixels.
        jigsaw_patch_size (`int`, *optional*, defaults to 64): side of a patch in pixels; at most that of a cell.
        jigsaw_scale (`list[float]`, *optional*, defaults to `[0.6, 1.0]`): area of the third crop, share of the image.
    """

    # `--aug D` of the official code.
    view_size: int | None = None  # that of inference: 224
    views_per_image: int = 2
    crop_scale: list = [0.2, 1.0]
    crop_ratio: list = [3 / 4, 4 / 3]  # torchvision's RandomResizedCrop as it is
    flip_probability: float = 0.5
    color_jitter: list = [0.8, 0.8, 0.8, 0.2]
    color_jitter_probability: float = 0.8
    grayscale_probability: float = 0.2
    blur_probability: float | list = 0.5
    blur_sigma: list = [0.1, 2.0]
    # RandAugment has small rotations and a solarisation of its own.
    randaugment_ops: list = [op for op in RANDAUGMENT_OPS if op != "identity"]
    randaugment_layers: int = 2
    randaugment_probability: float = 0.5
    randaugment_magnitude: float = 10.0
    randaugment_magnitude_std: float = 0.5
    # Its `JigsawCrop`.
    jigsaw_grid: int = 3
    jigsaw_size: int = 255
    jigsaw_patch_size: int = 64
    jigsaw_scale: list = [0.6, 1.0]

    def policy(self, view_index: int, size: int, crop_scale: list[float], **fields) -> ViewPolicy:
        return super().policy(
            view_index,
            size,
            crop_scale,
            randaugment_ops=tuple(self.randaugment_ops),
            randaugment_layers=self.randaugment_layers,
            randaugment_probability=self.randaugment_probability,
            randaugment_magnitude=self.randaugment_magnitude,
            randaugment_magnitude_std=self.randaugment_magnitude_std,
            **fields,
        )

    def jigsaw_policy(self) -> ViewPolicy:
        """The third crop."""
        return ViewPolicy(
            size=self.jigsaw_size,
            crop_scale=tuple(self.jigsaw_scale),
            crop_ratio=tuple(self.crop_ratio),
            interpolation="bicubic",
            flip_probability=self.flip_probability,
            jitter_probability=0.0,
            grayscale_probability=0.0,
        )

    def draw_views(self, samples: Mapping[str, Any], generator: torch.Generator | None) -> dict[str, torch.Tensor]:
        """
        As in the base class, with `jigsaw_pixel_values` of shape `(batch, patches, channels, jigsaw_patch_size,
        jigsaw_patch_size)`.

        Raises:
            ValueError: when the patches are larger than the cells.
        """
        views = super().draw_views(samples, generator)
        if self.jigsaw_grid:
            cell = self.jigsaw_size // self.jigsaw_grid
            if self.jigsaw_patch_size > cell:
                raise ValueError(
                    f"InfoMinImageProcessor.jigsaw_patch_size must be at most jigsaw_size // jigsaw_grid = {cell}, "
                    f"got {self.jigsaw_patch_size}."
                )
            crop = make_view(samples["image"], self.jigsaw_policy(), generator)
            count, jitter = self.jigsaw_grid**2, cell - self.jigsaw_patch_size
            patches = grid_patches(crop, self.jigsaw_patch_size, count, self.jigsaw_grid, jitter, generator)
            views["jigsaw_pixel_values"] = self.finish(patches.flatten(0, 1)).unflatten(0, patches.shape[:2])
        return views
