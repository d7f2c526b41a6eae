"""MAE (arXiv:2111.06377): the encoder sees a quarter of the patches, a light decoder paints the rest."""

from dataclasses import dataclass
from math import prod

import torch
from torch import nn
from transformers import initialization as init
from transformers.utils.generic import can_return_tuple

from ...augment.masks import visible_indices
from ...encoders import encoder_for
from ...modeling_utils import SSLOutput, SSLPreTrainedModel
from ...nn.decoders import MaskedPatchDecoder
from ...nn.losses import masked_patch_mse
from ...nn.patches import normalise_patches, patchify, unpatchify
from ...nn.positions import sincos_positions
from .configuration_mae import MAEConfig


@dataclass
class MAEOutput(SSLOutput):
    """
    [`SSLOutput`] and:

    Args:
        reconstruction (`torch.Tensor` of shape `(batch, channels, height, width)`): normalised pixels; under
            `norm_pix_loss` each patch is scaled back with the mean and variance of the true patch. Not in training.
    """

    reconstruction: torch.Tensor | None = None


class MAEForPreTraining(SSLPreTrainedModel):
    config: MAEConfig
    supports_cached_chunks = False

    def __init__(self, config: MAEConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        vit = config.backbone_config
        self.grid = vit.image_size // vit.patch_size
        self.decoder = MaskedPatchDecoder(config, self.grid**2, vit.patch_size**2 * vit.num_channels)
        self.post_init()

    def initialize_weights(self):
        super().initialize_weights()
        encoder = encoder_for(self.config.backbone_config)
        for module in self.backbone.modules():  # Xavier here too, which the native class does not do by itself
            if isinstance(module, nn.Linear):
                init.xavier_uniform_(module.weight)
        patches, positions = encoder.patch_weight(self.backbone), encoder.positions(self.backbone)
        init.copy_(patches, nn.init.xavier_uniform_(torch.empty(len(patches), patches[0].numel())).view_as(patches))
        init.copy_(positions, sincos_positions(self.embed_dim, self.grid, self.grid))
        positions.requires_grad_(not self.config.freeze_position_embeddings)
        self.decoder.set_positions(sincos_positions(self.config.decoder_hidden_size, self.grid, self.grid))

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        # The official code: Xavier for the linear layers, N(0, 0.02) for the mask token.
        super()._init_weights(module)
        if isinstance(module, nn.Linear):
            init.xavier_uniform_(module.weight)
        elif isinstance(module, MaskedPatchDecoder):
            init.normal_(module.mask_token, std=self.config.initializer_range)

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        bool_masked_pos: torch.Tensor,
        return_loss: bool = True,
        visible_patches: torch.Tensor | None = None,
        **kwargs,
    ) -> MAEOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, channels, height, width)`): one view.
            bool_masked_pos (`torch.BoolTensor` of shape `(batch, patches)`): True = hidden from the encoder, equally
                many in every row; `MAEImageProcessor.views` draws it.
            visible_patches (`torch.LongTensor` of shape `(batch, visible)`, *optional*): indices of the others; by
                default they are found, which makes an accelerator wait.

        Raises:
            ValueError: when the mask has another number of patches than the images.
        """
        encoder = encoder_for(self.config.backbone_config)
        patches = prod(encoder.grid(tuple(pixel_values.shape[-2:])))
        if bool_masked_pos.shape != (len(pixel_values), patches) or patches != self.grid**2:
            raise ValueError(
                f"bool_masked_pos has shape {tuple(bool_masked_pos.shape)}, but {tuple(pixel_values.shape)} pixels "
                f"under an encoder of {self.grid}x{self.grid} patches of {encoder.patch_size} need "
                f"{(len(pixel_values), self.grid**2)}: check patch_size and crop_size of the image processor."
            )
        if visible_patches is None:
            visible_patches = visible_indices(bool_masked_pos)
        tokens = encoder.tokens(self.backbone, pixel_values, keep=visible_patches)
        seen = torch.cat([tokens.prefix, tokens.patches], dim=1)
        prediction = self.decoder(seen, visible_patches).float()  # [B, N, p * p * C]
        pixels = target = patchify(pixel_values.float(), encoder.patch_size)
        if self.config.norm_pix_loss:
            target, mean, scale = normalise_patches(pixels)
        loss = masked_patch_mse(prediction, target, bool_masked_pos) if return_loss else None
        reconstruction = None
        if not self.training:
            painted = prediction * scale + mean if self.config.norm_pix_loss else prediction
            reconstruction = unpatchify(painted.detach(), encoder.patch_size, *pixel_values.shape[-2:])
        embeddings = tokens.patches.mean(1) if self.config.pooling == "mean" else tokens.prefix[:, 0]
        return MAEOutput(loss=loss, embeddings=embeddings.detach(), reconstruction=reconstruction)
