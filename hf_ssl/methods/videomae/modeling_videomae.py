"""VideoMAE (arXiv:2203.12602): the encoder sees a tenth of each frame, always the same, and a decoder the rest."""

from dataclasses import dataclass
from math import prod

import torch
from torch import nn
from transformers import initialization as init
from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from ...bases.masked_autoencoder import MaskedAutoencoder, ReconstructionOutput
from ...encoders import encoder_for
from ...nn.decoders import MaskedPatchDecoder
from ...nn.positions import sinusoid_positions
from ...nn.tubelets import cut_tubelets, join_tubelets, normalise_tubelets
from .configuration_videomae import SSLVideoMAEConfig


@dataclass
class SSLVideoMAEOutput(ReconstructionOutput):
    """[`ReconstructionOutput`]; `reconstruction` are normalised pixels (batch, frames, channels, height, width)."""


class SSLVideoMAEForPreTraining(MaskedAutoencoder):
    """Patches are tubelets, in the order time, rows, columns."""

    config: SSLVideoMAEConfig
    input_modalities = ("video",)
    output_class = SSLVideoMAEOutput

    def __init__(self, config: SSLVideoMAEConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        clips, encoder = config.backbone_config, encoder_for(config.backbone_config)
        self.num_patches = prod(encoder.grid(clips.image_size))
        values = clips.tubelet_size * clips.patch_size**2 * clips.num_channels
        self.decoder = MaskedPatchDecoder(config, self.num_patches, values, special_tokens=0, input_bias=False)
        # What the processor normalises with: targets are pixels in [0, 1]. Gray clips have the mean of the three.
        for name, statistic in (("pixel_mean", IMAGENET_DEFAULT_MEAN), ("pixel_std", IMAGENET_DEFAULT_STD)):
            values = torch.tensor(statistic) if clips.num_channels == 3 else torch.full((1,), sum(statistic) / 3)
            self.register_buffer(name, values)
        self.post_init()

    def initialize_weights(self):
        super().initialize_weights()
        patches = encoder_for(self.config.backbone_config).patch_weight(self.backbone)
        bound = patches[0].numel() ** -0.5  # of an untouched convolution, which the official code leaves as it is
        init.uniform_(patches, -bound, bound)
        self.decoder.set_positions(sinusoid_positions(self.num_patches, self.config.decoder_hidden_size))

    def start_mask_token(self, token: nn.Parameter) -> None:
        std = self.config.initializer_range
        init.trunc_normal_(token, std=std, a=-std, b=std)

    def require_mask(self, inputs: torch.Tensor, mask: torch.BoolTensor) -> None:
        clips, expected = self.config.backbone_config, (len(inputs), self.num_patches)
        if mask.shape != expected:
            raise ValueError(
                f"bool_masked_pos has shape {tuple(mask.shape)}, but {len(inputs)} clips of "
                f"{'x'.join(map(str, encoder_for(clips).grid(clips.image_size)))} tubelets need {expected}: check "
                "patch_size and tubelet_size of the processor."
            )

    def _statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation (channels, 1, 1) that the pixels are normalised with."""
        return self.pixel_mean.float()[:, None, None], self.pixel_std.float()[:, None, None]

    def cut(self, inputs: torch.Tensor) -> torch.Tensor:
        (mean, std), clips = self._statistics(), self.config.backbone_config
        return cut_tubelets(inputs.float() * std + mean, clips.tubelet_size, clips.patch_size)

    def normalise(self, patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return normalise_tubelets(patches)

    def join(self, patches: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        (mean, std), clips = self._statistics(), self.config.backbone_config
        shape = inputs.shape[1], *inputs.shape[-2:]
        return (join_tubelets(patches, clips.tubelet_size, clips.patch_size, shape) - mean) / std
