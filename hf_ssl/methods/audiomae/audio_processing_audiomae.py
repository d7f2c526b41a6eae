"""Views and masks of Audio-MAE (arXiv:2207.06405, section 3)."""

import torch

from ...audio_processing_utils import SSLFeatureExtractor
from ...augment.masks import random_masks, visible_indices


class AudioMAEFeatureExtractor(SSLFeatureExtractor):
    r"""
    One spectrogram of each sound, amplified at random, and a random mask over its patches.

    Args:
        patch_size (`int`, *optional*, defaults to 16): side of the encoder's patches, in frames and mel bands.
        mask_ratio (`float`, *optional*, defaults to 0.8): share of the patches that the encoder does not see.
        gain_concentration (`int`, *optional*, defaults to 10): of the factor in 0.5..1.5.
        roll_share (`float`, *optional*, defaults to 0): largest shift in a circle, share of the length. The official
            code means to shift, but draws from the number of channels, which is 1, and so never does.
    """

    patch_size: int = 16
    mask_ratio: float = 0.8  # section 4.4, unstructured
    gain_concentration: int = 10  # `dataset.py` of the official code
    roll_share: float = 0.0

    def draw_masks(self, batch: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """
        `bool_masked_pos` of shape `(batch, patches)`, True = masked, and `visible_patches` of shape
        `(batch, visible)`, indices of the others.
        """
        patches = (self.max_length // self.patch_size) * (self.num_mel_bins // self.patch_size)
        mask = random_masks(batch, patches, self.mask_ratio, generator)
        return {"bool_masked_pos": mask, "visible_patches": visible_indices(mask)}
