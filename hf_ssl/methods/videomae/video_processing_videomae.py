"""Views and masks of VideoMAE (arXiv:2203.12602, section 3.3 and appendix)."""

import torch

from ...augment.masks import tube_masks, visible_indices
from ...video_processing_utils import SSLVideoProcessor


class SSLVideoMAEImageProcessor(SSLVideoProcessor):
    r"""
    Some frames, one crop for all of them, and tubes: a mask over the patches of a frame, the same in all frames.

    Args:
        num_frames (`int`, *optional*, defaults to 16): frames of a clip, as the encoder takes them.
        frame_stride (`int`, *optional*, defaults to 4): from one frame to the next; 2 for Something-Something.
        tubelet_size (`int`, *optional*, defaults to 2): frames of the encoder's tubelets.
        patch_size (`int`, *optional*, defaults to 16): side of the encoder's tubelets in pixels.
        mask_ratio (`float`, *optional*, defaults to 0.9): share of the tubelets that the encoder does not see.
        crop_scales (`list[float]`, *optional*, defaults to `[1, 0.875, 0.75, 0.66]`): sides of the crop, shares of the
            clip's shorter side.
        flip_probability (`float`, *optional*, defaults to 0): horizontal flip, which the official code leaves out.
    """

    num_frames: int = 16  # `run_mae_pretraining.py` of the official code, and its script for Kinetics
    frame_stride: int = 4
    tubelet_size: int = 2
    patch_size: int = 16
    mask_ratio: float = 0.9
    crop_scales: list = [1, 0.875, 0.75, 0.66]
    flip_probability: float = 0.0

    def draw_masks(self, batch: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """
        `bool_masked_pos` of shape `(batch, tubelets)`, True = masked, time first, and `visible_patches` of shape
        `(batch, visible)`, indices of the others.
        """
        frames, patches = self.num_frames // self.tubelet_size, (self.inference_size // self.patch_size) ** 2
        mask = tube_masks(batch, frames, patches, self.mask_ratio, generator)
        return {"bool_masked_pos": mask, "visible_patches": visible_indices(mask)}
