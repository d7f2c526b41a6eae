"""Views and masks of MAE (arXiv:2111.06377, section 3 and appendix A)."""

import torch

from ...augment.masks import random_masks, visible_indices
from ...one_view_image_processing_utils import OneViewImageProcessor


class MAEImageProcessor(OneViewImageProcessor):
    r"""
    One crop, flipped at random and nothing else, and a random mask over its patches.

    Args:
        patch_size (`int`, *optional*, defaults to 16): side of the encoder's patches in pixels.
        mask_ratio (`float`, *optional*, defaults to 0.75): share of the patches that the encoder does not see.
        crop_scale (`list[float]`, *optional*, defaults to `[0.2, 1.0]`): area of the crop, share of the image.
        crop_ratio (`list[float]`, *optional*, defaults to `[3/4, 4/3]`): aspect ratio of the crop.
        flip_probability (`float`, *optional*, defaults to 0.5): horizontal flip.
    """

    patch_size: int = 16  # of the encoder, ViT-B/16
    mask_ratio: float = 0.75  # figure 5
    # `main_pretrain.py` of the official code; table 8 has them as RandomResizedCrop.
    crop_scale: list = [0.2, 1.0]
    crop_ratio: list = [3 / 4, 4 / 3]
    flip_probability: float = 0.5

    def draw_masks(self, batch: int, generator: torch.Generator | None) -> dict[str, torch.Tensor]:
        """
        `bool_masked_pos` of shape `(batch, patches)`, True = masked, and `visible_patches` of shape `(batch,
        visible)`, indices of the others.
        """
        mask = random_masks(batch, (self.inference_size // self.patch_size) ** 2, self.mask_ratio, generator)
        return {"bool_masked_pos": mask, "visible_patches": visible_indices(mask)}
