"""VideoMAE (arXiv:2203.12602): the encoder sees a tenth of each frame, always the same, and a decoder the rest."""

from dataclasses import dataclass
from math import prod

import torch
from torch import nn
from transformers import initialization as init
from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from transformers.utils.generic import can_return_tuple

from ...augment.masks import visible_indices
from ...encoders import encoder_for
from ...modeling_utils import SSLOutput, SSLPreTrainedModel
from ...nn.decoders import MaskedPatchDecoder
from ...nn.losses import masked_patch_mse
from ...nn.positions import sinusoid_positions
from ...nn.tubelets import cut_tubelets, join_tubelets, normalise_tubelets
from .configuration_videomae import SSLVideoMAEConfig


@dataclass
class SSLVideoMAEOutput(SSLOutput):
    """
    [`SSLOutput`] and:

    Args:
        reconstruction (`torch.Tensor` of shape `(batch, frames, channels, height, width)`): normalised pixels; under
            `norm_pix_loss` each tubelet is scaled back with the mean and deviation of the true one, which flatters.
            Not in training.
    """

    reconstruction: torch.Tensor | None = None


class SSLVideoMAEForPreTraining(SSLPreTrainedModel):
    config: SSLVideoMAEConfig
    input_modalities = ("video",)
    supports_cached_chunks = False

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
        for module in self.backbone.modules():  # Xavier here too, which the native class does not do by itself
            if isinstance(module, nn.Linear):
                init.xavier_uniform_(module.weight)
        patches = encoder_for(self.config.backbone_config).patch_weight(self.backbone)
        bound = patches[0].numel() ** -0.5  # of an untouched convolution, which the official code leaves as it is
        init.uniform_(patches, -bound, bound)
        self.decoder.set_positions(sinusoid_positions(self.num_patches, self.config.decoder_hidden_size))

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        super()._init_weights(module)
        if isinstance(module, nn.Linear):
            init.xavier_uniform_(module.weight)
        elif isinstance(module, MaskedPatchDecoder):
            std = self.config.initializer_range
            init.trunc_normal_(module.mask_token, std=std, a=-std, b=std)

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        bool_masked_pos: torch.Tensor,
        return_loss: bool = True,
        visible_patches: torch.Tensor | None = None,
        **kwargs,
    ) -> SSLVideoMAEOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, frames, channels, height, width)`): one view.
            bool_masked_pos (`torch.BoolTensor` of shape `(batch, tubelets)`): True = hidden from the encoder, equally
                many in every row, in the order time, rows, columns; the processor's `views` draws it.
            visible_patches (`torch.LongTensor` of shape `(batch, visible)`, *optional*): indices of the others; by
                default they are found, which makes an accelerator wait.

        Raises:
            ValueError: when the mask has another number of tubelets than the clips.
        """
        clips, encoder = self.config.backbone_config, encoder_for(self.config.backbone_config)
        if bool_masked_pos.shape != (len(pixel_values), self.num_patches):
            raise ValueError(
                f"bool_masked_pos has shape {tuple(bool_masked_pos.shape)}, but {len(pixel_values)} clips of "
                f"{'x'.join(map(str, encoder.grid(clips.image_size)))} tubelets need "
                f"{(len(pixel_values), self.num_patches)}: check patch_size and tubelet_size of the processor."
            )
        if visible_patches is None:
            visible_patches = visible_indices(bool_masked_pos)
        seen = encoder.tokens(self.backbone, pixel_values, keep=visible_patches).patches
        prediction = self.decoder(seen, visible_patches).float()  # [B, N, t * p * p * C]
        cut = clips.tubelet_size, clips.patch_size
        mean, std = (x.float()[:, None, None] for x in (self.pixel_mean, self.pixel_std))
        target = tubelets = cut_tubelets(pixel_values.float() * std + mean, *cut)
        if self.config.norm_pix_loss:
            target, centre, scale = normalise_tubelets(tubelets)
        loss = masked_patch_mse(prediction, target.flatten(2), bool_masked_pos) if return_loss else None
        reconstruction = None
        if not self.training:
            painted = prediction.detach().view_as(tubelets)
            painted = painted * scale + centre if self.config.norm_pix_loss else painted
            shape = pixel_values.shape[1], *pixel_values.shape[-2:]
            reconstruction = (join_tubelets(painted, *cut, shape) - mean) / std
        return SSLVideoMAEOutput(loss=loss, embeddings=seen.mean(1).detach(), reconstruction=reconstruction)
