"""Views and masks of iBOT (arXiv:2111.07832, appendix B)."""

import torch

from ...augment.masks import block_masks, ibot_ratios
from ...image_processing_utils import MultiCropImageProcessor


class IBOTImageProcessor(MultiCropImageProcessor):
    r"""
    DINO's multi-crop, and blocks of masked patches in the large crops. What the attributes of the views mean: see
    [`MultiCropImageProcessor`].

    Args:
        patch_size (`int`, *optional*, defaults to 16): side of the encoder's patches in pixels.
        mask_ratios (`list[float]`, *optional*, defaults to `[0.0, 0.3]`):
            Shares of masked patches, of which each crop draws one.
        mask_ratio_spreads (`list[float]`, *optional*, defaults to `[0.0, 0.2]`):
            Each share is drawn up to so much more or less.
    """

    patch_size: int = 16
    # The command of the official run of ViT-S/16.
    mask_ratios: list = [0.0, 0.3]
    mask_ratio_spreads: list = [0.0, 0.2]
    global_crop_size: int | None = None  # that of inference: 224
    global_crop_scale: list = [0.25, 1.0]
    global_crops: int = 2
    local_crop_size: int = 96
    local_crop_scale: list = [0.05, 0.25]
    local_crops: int = 10
    # `DataAugmentationiBOT` of the official code, a list has the first large crop, the second, and the small ones.
    crop_ratio: list = [3 / 4, 4 / 3]  # torchvision's RandomResizedCrop as it is
    flip_probability: float = 0.5
    color_jitter: list = [0.4, 0.4, 0.2, 0.1]
    color_jitter_probability: float = 0.8
    grayscale_probability: float = 0.2
    blur_probability: float | list = [1.0, 0.1, 0.5]
    blur_sigma: list = [0.1, 2.0]
    solarize_probability: float | list = [0.0, 0.2, 0.0]

    def draw_masks(self, batch: int, generator: torch.Generator | None) -> dict[str, torch.Tensor]:
        """`bool_masked_pos` of shape `(batch, large crops, patches)`, True = masked; some crops have none."""
        side = (self.global_crop_size or self.inference_size) // self.patch_size
        crops = batch * self.global_crops
        ratios = ibot_ratios(crops, tuple(self.mask_ratios), tuple(self.mask_ratio_spreads), generator)
        mask = block_masks(
            crops,
            (side, side),
            ratios * side**2,
            min_block=(side // 3) ** 2,  # `loader.py` of the official code
            top_up=False,
            generator=generator,
        )
        return {"bool_masked_pos": mask.unflatten(0, (batch, self.global_crops))}
