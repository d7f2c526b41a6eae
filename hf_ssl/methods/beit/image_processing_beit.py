"""Views and masks of BEiT (arXiv:2106.08254, section 2.3 and appendix)."""

from typing import Any

import torch

from ...augment import ViewPolicy
from ...augment.masks import block_masks, masked_indices
from ...one_view_image_processing_utils import OneViewImageProcessor


class BEiTImageProcessor(OneViewImageProcessor):
    r"""
    One crop with its colours changed, flipped at random, and blocks of masked patches, equally many in every image.

    Args:
        patch_size (`int`, *optional*, defaults to 16): side of the encoder's patches in pixels.
        mask_ratio (`float`, *optional*, defaults to 75 / 196): share of masked patches.
        min_mask_block (`int`, *optional*, defaults to 16): fewest patches of a block.
        crop_scale (`list[float]`, *optional*, defaults to `[0.08, 1.0]`): area of the crop, share of the image.
        crop_ratio (`list[float]`, *optional*, defaults to `[3/4, 4/3]`): aspect ratio of the crop.
        flip_probability (`float`, *optional*, defaults to 0.5): horizontal flip.
        color_jitter (`list[float]`, *optional*, defaults to `[0.4, 0.4, 0.4, 0.0]`):
            Changes in brightness, contrast, saturation and hue, of every crop.
        rotate_probability (`float`, *optional*, defaults to 0.0): by 90, 180 or 270 degrees. No paper has it.
    """

    # `run_beit_pretraining.py` and `datasets.py` of the official code.
    patch_size: int = 16
    mask_ratio: float = 75 / 196
    min_mask_block: int = 16
    crop_scale: list = [0.08, 1.0]
    crop_ratio: list = [3 / 4, 4 / 3]
    flip_probability: float = 0.5
    color_jitter: list = [0.4, 0.4, 0.4, 0.0]
    rotate_probability: float = 0.0

    def policy(self, **fields: Any) -> ViewPolicy:
        jitter = dict(zip(("brightness", "contrast", "saturation", "hue"), self.color_jitter, strict=True))
        rotate = {"rotate_probability": self.rotate_probability}
        return super().policy(jitter_probability=1.0, **jitter, **rotate, **fields)

    def draw_masks(self, batch: int, generator: torch.Generator | None) -> dict[str, torch.Tensor]:
        """
        `bool_masked_pos` of shape `(batch, patches)`, True = masked, and `masked_patches` of shape `(batch, masked)`,
        indices of those.
        """
        side = self.inference_size // self.patch_size
        count = max(round(self.mask_ratio * side**2), 1)
        mask = block_masks(batch, (side, side), count, min_block=self.min_mask_block, generator=generator)
        return {"bool_masked_pos": mask, "masked_patches": masked_indices(mask, count)}
