"""Masked autoencoders (MAE, arXiv:2111.06377): an encoder of what is visible, and a decoder of the rest."""

from dataclasses import dataclass

import torch
from torch import nn
from transformers import initialization as init
from transformers.utils.generic import can_return_tuple

from ..augment.masks import visible_indices
from ..encoders import Tokens, encoder_for
from ..modeling_utils import SSLOutput, SSLPreTrainedModel
from ..nn.decoders import MaskedPatchDecoder
from ..nn.losses import masked_patch_mse
from ..nn.patches import normalise_patches


@dataclass
class ReconstructionOutput(SSLOutput):
    """
    [`SSLOutput`] and:

    Args:
        reconstruction (`torch.Tensor`): of the shape of the input, and normalised as it is; under `norm_pix_loss` each
            patch is scaled back with the mean and variance of the true patch, which flatters. Not in training.
    """

    reconstruction: torch.Tensor | None = None


class MaskedAutoencoder(SSLPreTrainedModel):
    """A method adds `decoder`, a [`MaskedPatchDecoder`], and says how inputs are cut into patches and joined again."""

    supports_cached_chunks = False
    output_class: type[ReconstructionOutput] = ReconstructionOutput

    def initialize_weights(self):
        super().initialize_weights()
        for module in self.backbone.modules():  # Xavier here too, which the native class does not do by itself
            if isinstance(module, nn.Linear):
                init.xavier_uniform_(module.weight)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        super()._init_weights(module)
        if isinstance(module, nn.Linear):
            init.xavier_uniform_(module.weight)
        elif isinstance(module, MaskedPatchDecoder):
            self.start_mask_token(module.mask_token)

    def start_mask_token(self, token: nn.Parameter) -> None:
        """N(0, `initializer_range`), as in the official code of MAE."""
        init.normal_(token, std=self.config.initializer_range)

    def start_embeddings(self, positions: torch.Tensor, decoder_positions: torch.Tensor) -> None:
        """
        The start of the official code of MAE, except what a checkpoint filled: the embedding of the patches as that of
        a linear layer, and fixed positions.

        Args:
            positions (`torch.Tensor` of shape `(1, prefix + patches, width)`): of the encoder, which go on learning
                unless the configuration has `freeze_position_embeddings`.
            decoder_positions (`torch.Tensor` of shape `(1, special tokens + patches, decoder width)`)
        """
        encoder = encoder_for(self.config.backbone_config)
        patches, own = encoder.patch_weight(self.backbone), encoder.positions(self.backbone)
        init.copy_(patches, nn.init.xavier_uniform_(torch.empty(len(patches), patches[0].numel())).view_as(patches))
        init.copy_(own, positions)
        own.requires_grad_(not self.config.freeze_position_embeddings)
        self.decoder.set_positions(decoder_positions)

    def require_mask(self, inputs: torch.Tensor, mask: torch.BoolTensor) -> None:
        """A `ValueError` where the mask has another number of patches than the inputs."""
        raise NotImplementedError

    def cut(self, inputs: torch.Tensor) -> torch.Tensor:
        """Inputs as float32 patches, of shape `(batch, patches, ...)`: what is predicted."""
        raise NotImplementedError

    def normalise(self, patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The target under `norm_pix_loss`, and the mean and scale that lead back."""
        return normalise_patches(patches)

    def join(self, patches: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """The inverse of `cut`: of the shape of `inputs`."""
        raise NotImplementedError

    def embedding(self, tokens: Tokens) -> torch.Tensor:
        """The embedding (batch, width) of what is visible."""
        return tokens.patches.mean(1)

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        bool_masked_pos: torch.Tensor,
        return_loss: bool = True,
        visible_patches: torch.Tensor | None = None,
        **kwargs,
    ) -> ReconstructionOutput:
        """
        Args:
            pixel_values (`torch.Tensor`): one view, images (batch, channels, height, width) or clips (batch, frames,
                channels, height, width).
            bool_masked_pos (`torch.BoolTensor` of shape `(batch, patches)`): True = hidden from the encoder, equally
                many in every row, in the order of the encoder's tokens; the processor's `views` draws it.
            visible_patches (`torch.LongTensor` of shape `(batch, visible)`, *optional*): indices of the others; by
                default they are found, which makes an accelerator wait.

        Raises:
            ValueError: when the mask has another number of patches than the view.
        """
        self.require_mask(pixel_values, bool_masked_pos)
        if visible_patches is None:
            visible_patches = visible_indices(bool_masked_pos)
        tokens = encoder_for(self.config.backbone_config).tokens(self.backbone, pixel_values, keep=visible_patches)
        special = [tokens.prefix] if self.decoder.special_tokens else []
        seen = torch.cat([*special, tokens.patches], dim=1)
        target = patches = self.cut(pixel_values)
        prediction = self.decoder(seen, visible_patches).float().view_as(patches)
        if self.config.norm_pix_loss:
            target, centre, scale = self.normalise(patches)
        loss = masked_patch_mse(prediction.flatten(2), target.flatten(2), bool_masked_pos) if return_loss else None
        reconstruction = None
        if not self.training:
            painted = prediction.detach()
            painted = painted * scale + centre if self.config.norm_pix_loss else painted
            reconstruction = self.join(painted, pixel_values)
        embeddings = self.embedding(tokens).detach()
        return self.output_class(loss=loss, embeddings=embeddings, reconstruction=reconstruction)
