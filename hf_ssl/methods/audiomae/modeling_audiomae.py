"""Audio-MAE (arXiv:2207.06405): the encoder sees a fifth of a spectrogram, a decoder with local attention the rest."""

from dataclasses import dataclass
from math import prod

import torch
from transformers import initialization as init
from transformers.utils.generic import can_return_tuple

from ...bases.masked_autoencoder import MaskedAutoencoder, ReconstructionOutput
from ...encoders import Tokens, encoder_for
from ...nn.decoders import MaskedPatchDecoder, window_layers
from ...nn.patches import patchify, unpatchify
from ...nn.positions import sincos_positions
from .configuration_audiomae import AudioMAEConfig


@dataclass
class AudioMAEOutput(ReconstructionOutput):
    """[`ReconstructionOutput`]; `reconstruction` are normalised log energies (batch, time, mel)."""


class AudioMAEForPreTraining(MaskedAutoencoder):
    config: AudioMAEConfig
    main_input_name = "input_values"
    input_modalities = ("audio",)
    output_class = AudioMAEOutput

    def __init__(self, config: AudioMAEConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        encoder, layers = encoder_for(config.backbone_config), None
        self.grid = encoder.grid(encoder.image_size)  # frequency, time
        if config.decoder_window_size is not None:
            window = tuple(min(side, config.decoder_window_size) for side in self.grid)
            layers = window_layers(config, self.grid, window, (0, config.decoder_window_size // 2))
        # The two tokens that stand for no patch stay out: windows have no place for them.
        values = encoder.patch_size**2
        self.decoder = MaskedPatchDecoder(config, prod(self.grid), values, special_tokens=0, layers=layers)
        self.post_init()

    def initialize_weights(self):
        super().initialize_weights()
        embeddings = self.backbone.embeddings
        for token in (embeddings.cls_token, embeddings.distillation_token):  # equal ones would stay equal for ever
            init.normal_(token, std=self.config.initializer_range)
        nowhere = torch.zeros(1, encoder_for(self.config.backbone_config).num_prefix, self.embed_dim)
        positions = torch.cat([nowhere, self._positions(self.embed_dim)], dim=1)
        self.start_embeddings(positions, self._positions(self.config.decoder_hidden_size))

    def _positions(self, dim: int) -> torch.Tensor:
        """Sine-cosine positions (1, patches, dim) of the official code, which goes along time first, in our order."""
        frequencies, times = self.grid
        table = sincos_positions(dim, times, frequencies)[:, 1:]
        return table.unflatten(1, (times, frequencies)).transpose(1, 2).flatten(1, 2)

    @can_return_tuple
    def forward(
        self, input_values: torch.Tensor, bool_masked_pos: torch.Tensor, return_loss: bool = True, **kwargs
    ) -> AudioMAEOutput:
        """
        Args:
            input_values (`torch.Tensor` of shape `(batch, time, mel)`): normalised log energies.
            bool_masked_pos, visible_patches: as in [`MaskedAutoencoder`]; patches go frequency by frequency.

        Raises:
            ValueError: when the mask has another number of patches than the spectrograms.
        """
        return super().forward(input_values, bool_masked_pos, return_loss, **kwargs)

    def require_mask(self, inputs: torch.Tensor, mask: torch.BoolTensor) -> None:
        expected = len(inputs), prod(self.grid)
        if mask.shape != expected:
            raise ValueError(
                f"bool_masked_pos has shape {tuple(mask.shape)}, but {len(inputs)} spectrograms of {self.grid[0]}x"
                f"{self.grid[1]} patches need {expected}: check patch_size, max_length and num_mel_bins of the "
                "feature extractor."
            )

    def cut(self, inputs: torch.Tensor) -> torch.Tensor:
        return patchify(inputs.float().transpose(1, 2)[:, None], self.config.backbone_config.patch_size)

    def join(self, patches: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        energies = unpatchify(patches, self.config.backbone_config.patch_size, *inputs.shape[:0:-1])
        return energies[:, 0].transpose(1, 2)

    def embedding(self, tokens: Tokens) -> torch.Tensor:
        return tokens.prefix.mean(1)
