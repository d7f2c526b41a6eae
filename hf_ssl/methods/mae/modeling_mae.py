"""MAE (arXiv:2111.06377): the encoder sees a quarter of the patches, a light decoder paints the rest."""

from dataclasses import dataclass

import torch
from torch import nn
from transformers import initialization as init
from transformers.utils.generic import can_return_tuple

from ...augment.masks import visible_indices
from ...modeling_utils import SSLForImageClassification, SSLModel, SSLOutput, SSLPreTrainedModel, build_backbone
from ...nn.decoders import MaskedPatchDecoder
from ...nn.losses import masked_patch_mse
from ...nn.masking import encode_tokens
from ...nn.patches import patchify, unpatchify
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


class MAEModel(SSLModel):
    config: MAEConfig


class MAEForImageClassification(SSLForImageClassification):
    config: MAEConfig


class MAEForPreTraining(SSLPreTrainedModel):
    config: MAEConfig
    supports_cached_chunks = False

    def __init__(self, config: MAEConfig):
        super().__init__(config)
        self.backbone = build_backbone(config.backbone_config)
        self.decoder = MaskedPatchDecoder(
            config.backbone_config,
            config.decoder_hidden_size,
            config.decoder_num_hidden_layers,
            config.decoder_num_attention_heads,
            config.decoder_intermediate_size,
        )
        self.post_init()

    def initialize_weights(self):
        super().initialize_weights()
        embeddings = self.backbone.embeddings
        for module in self.backbone.modules():  # Xavier here too, which the native class does not do by itself
            if isinstance(module, nn.Linear):
                init.xavier_uniform_(module.weight)
        patches = embeddings.patch_embeddings.projection.weight
        init.copy_(patches, nn.init.xavier_uniform_(torch.empty(len(patches), patches[0].numel())).view_as(patches))
        grid, dim = self.decoder.grid, self.config.backbone_config.hidden_size
        init.copy_(embeddings.position_embeddings, sincos_positions(dim, grid, grid))
        embeddings.position_embeddings.requires_grad_(not self.config.freeze_position_embeddings)
        self.decoder.reset_positions()

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
        vit = self.config.backbone_config
        patches = (pixel_values.shape[-2] // vit.patch_size) * (pixel_values.shape[-1] // vit.patch_size)
        if bool_masked_pos.shape != (len(pixel_values), patches) or patches != self.decoder.grid**2:
            raise ValueError(
                f"bool_masked_pos has shape {tuple(bool_masked_pos.shape)}, but {tuple(pixel_values.shape)} pixels "
                f"under an encoder of {self.decoder.grid}x{self.decoder.grid} patches of {vit.patch_size} need "
                f"{(len(pixel_values), self.decoder.grid**2)}: check patch_size and crop_size of the image processor."
            )
        if visible_patches is None:
            visible_patches = visible_indices(bool_masked_pos)
        tokens = self.backbone.layernorm(encode_tokens(self.backbone, pixel_values, visible_patches))
        prediction = self.decoder(tokens, visible_patches).float()  # [B, N, p * p * C]
        pixels = target = patchify(pixel_values.float(), vit.patch_size)
        if self.config.norm_pix_loss:
            variance, mean = torch.var_mean(pixels, dim=-1, keepdim=True)
            scale = (variance + 1e-6).sqrt()
            target = (pixels - mean) / scale
        loss = masked_patch_mse(prediction, target, bool_masked_pos) if return_loss else None
        reconstruction = None
        if not self.training:
            painted = prediction * scale + mean if self.config.norm_pix_loss else prediction
            reconstruction = unpatchify(painted.detach(), vit.patch_size, *pixel_values.shape[-2:])
        embeddings = tokens.detach()[:, 1:].mean(1) if self.config.pooling == "mean" else tokens.detach()[:, 0]
        return MAEOutput(loss=loss, embeddings=embeddings, reconstruction=reconstruction)
