"""MAE (arXiv:2111.06377): the encoder sees a quarter of the patches, a light decoder paints the rest."""

from dataclasses import dataclass
from math import prod

import torch

from ...bases.masked_autoencoder import MaskedAutoencoder, ReconstructionOutput
from ...encoders import Tokens, encoder_for
from ...nn.decoders import MaskedPatchDecoder
from ...nn.patches import patchify, unpatchify
from ...nn.positions import sincos_positions
from .configuration_mae import MAEConfig


@dataclass
class MAEOutput(ReconstructionOutput):
    """[`ReconstructionOutput`]; `reconstruction` are normalised pixels (batch, channels, height, width)."""


class MAEForPreTraining(MaskedAutoencoder):
    config: MAEConfig
    output_class = MAEOutput

    def __init__(self, config: MAEConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        vit = config.backbone_config
        self.grid = vit.image_size // vit.patch_size
        self.decoder = MaskedPatchDecoder(config, self.grid**2, vit.patch_size**2 * vit.num_channels)
        self.post_init()

    def initialize_weights(self):
        super().initialize_weights()
        widths = self.embed_dim, self.config.decoder_hidden_size
        self.start_embeddings(*(sincos_positions(width, self.grid, self.grid) for width in widths))

    def require_mask(self, inputs: torch.Tensor, mask: torch.BoolTensor) -> None:
        encoder = encoder_for(self.config.backbone_config)
        patches = prod(encoder.grid(tuple(inputs.shape[-2:])))
        if mask.shape != (len(inputs), patches) or patches != self.grid**2:
            raise ValueError(
                f"bool_masked_pos has shape {tuple(mask.shape)}, but {tuple(inputs.shape)} pixels under an encoder of "
                f"{self.grid}x{self.grid} patches of {encoder.patch_size} need {(len(inputs), self.grid**2)}: check "
                "patch_size and crop_size of the image processor."
            )

    def cut(self, inputs: torch.Tensor) -> torch.Tensor:
        return patchify(inputs.float(), self.config.backbone_config.patch_size)

    def join(self, patches: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        return unpatchify(patches, self.config.backbone_config.patch_size, *inputs.shape[-2:])

    def embedding(self, tokens: Tokens) -> torch.Tensor:
        return super().embedding(tokens) if self.config.pooling == "mean" else tokens.prefix[:, 0]
