"""Audio-MAE (arXiv:2207.06405): the encoder sees a fifth of a spectrogram, a decoder with local attention the rest."""

from dataclasses import dataclass
from math import prod

import torch
from torch import nn
from transformers import initialization as init
from transformers.utils.generic import can_return_tuple

from ...augment.masks import visible_indices
from ...encoders import encoder_for
from ...modeling_utils import SSLOutput, SSLPreTrainedModel
from ...nn.decoders import MaskedPatchDecoder, window_layers
from ...nn.losses import masked_patch_mse
from ...nn.patches import normalise_patches, patchify, unpatchify
from ...nn.positions import sincos_positions
from .configuration_audiomae import AudioMAEConfig


@dataclass
class AudioMAEOutput(SSLOutput):
    """
    [`SSLOutput`] and:

    Args:
        reconstruction (`torch.Tensor` of shape `(batch, time, mel)`): normalised log energies; under `norm_pix_loss`
            each patch is scaled back with the mean and variance of the true patch, which flatters. Not in training.
    """

    reconstruction: torch.Tensor | None = None


class AudioMAEForPreTraining(SSLPreTrainedModel):
    config: AudioMAEConfig
    main_input_name = "input_values"
    input_modalities = ("audio",)
    supports_cached_chunks = False

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
        encoder, embeddings = encoder_for(self.config.backbone_config), self.backbone.embeddings
        for module in self.backbone.modules():  # Xavier here too, which the native class does not do by itself
            if isinstance(module, nn.Linear):
                init.xavier_uniform_(module.weight)
        for token in (embeddings.cls_token, embeddings.distillation_token):  # equal ones would stay equal for ever
            init.normal_(token, std=self.config.initializer_range)
        patches, positions = encoder.patch_weight(self.backbone), encoder.positions(self.backbone)
        init.copy_(patches, nn.init.xavier_uniform_(torch.empty(len(patches), patches[0].numel())).view_as(patches))
        nowhere = torch.zeros(1, encoder.num_prefix, self.embed_dim)
        init.copy_(positions, torch.cat([nowhere, self._positions(self.embed_dim)], dim=1))
        positions.requires_grad_(not self.config.freeze_position_embeddings)
        self.decoder.set_positions(self._positions(self.config.decoder_hidden_size))

    def _positions(self, dim: int) -> torch.Tensor:
        """Sine-cosine positions (1, patches, dim) of the official code, which goes along time first, in our order."""
        frequencies, times = self.grid
        table = sincos_positions(dim, times, frequencies)[:, 1:]
        return table.unflatten(1, (times, frequencies)).transpose(1, 2).flatten(1, 2)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        super()._init_weights(module)
        if isinstance(module, nn.Linear):
            init.xavier_uniform_(module.weight)
        elif isinstance(module, MaskedPatchDecoder):
            init.normal_(module.mask_token, std=self.config.initializer_range)

    @can_return_tuple
    def forward(
        self,
        input_values: torch.Tensor,
        bool_masked_pos: torch.Tensor,
        return_loss: bool = True,
        visible_patches: torch.Tensor | None = None,
        **kwargs,
    ) -> AudioMAEOutput:
        """
        Args:
            input_values (`torch.Tensor` of shape `(batch, time, mel)`): normalised log energies.
            bool_masked_pos (`torch.BoolTensor` of shape `(batch, patches)`): True = hidden from the encoder, equally
                many in every row, frequency by frequency; the feature extractor's `views` draws it.
            visible_patches (`torch.LongTensor` of shape `(batch, visible)`, *optional*): indices of the others; by
                default they are found, which makes an accelerator wait.

        Raises:
            ValueError: when the mask has another number of patches than the spectrograms.
        """
        encoder, patches = encoder_for(self.config.backbone_config), prod(self.grid)
        if bool_masked_pos.shape != (len(input_values), patches):
            raise ValueError(
                f"bool_masked_pos has shape {tuple(bool_masked_pos.shape)}, but {len(input_values)} spectrograms of "
                f"{self.grid[0]}x{self.grid[1]} patches need {(len(input_values), patches)}: check patch_size, "
                "max_length and num_mel_bins of the feature extractor."
            )
        if visible_patches is None:
            visible_patches = visible_indices(bool_masked_pos)
        tokens = encoder.tokens(self.backbone, input_values, keep=visible_patches)
        prediction = self.decoder(tokens.patches, visible_patches).float()  # [B, N, p * p]
        target = energies = patchify(input_values.float().transpose(1, 2)[:, None], encoder.patch_size)
        if self.config.norm_pix_loss:
            target, centre, scale = normalise_patches(energies)
        loss = masked_patch_mse(prediction, target, bool_masked_pos) if return_loss else None
        reconstruction = None
        if not self.training:
            painted = prediction.detach()
            painted = painted * scale + centre if self.config.norm_pix_loss else painted
            reconstruction = unpatchify(painted, encoder.patch_size, *input_values.shape[:0:-1])[:, 0].transpose(1, 2)
        return AudioMAEOutput(loss=loss, embeddings=tokens.prefix.mean(1).detach(), reconstruction=reconstruction)
