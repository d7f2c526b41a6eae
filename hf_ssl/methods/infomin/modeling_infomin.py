"""InfoMin (arXiv:2005.10243): momentum contrast of views, and of shuffled patches, that share less."""

import torch
from transformers.utils.generic import can_return_tuple

from ...bases.momentum_contrast import MomentumContrastModel, unit_norm
from ...modeling_utils import SSLOutput, encode_crops, require_views
from ...nn.heads import JigsawHead
from .configuration_infomin import InfoMinConfig


class InfoMinForPreTraining(MomentumContrastModel):
    config: InfoMinConfig
    local_batch_norm = (*MomentumContrastModel.local_batch_norm, "jigsaw_projector")

    def __init__(self, config: InfoMinConfig):
        super().__init__(config)  # self.backbone, self.projector
        sizes = [self.embed_dim, *config.projection_sizes]
        # The patches are queries only: they look for the key of a view, so the target has no such head.
        self.jigsaw_projector = JigsawHead(sizes, config.jigsaw_patches) if config.jigsaw_patches else None
        self.add_target()
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        jigsaw_pixel_values: torch.Tensor | None = None,
        return_loss: bool = True,
        **kwargs,
    ) -> SSLOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, 2, channels, height, width)`): queries, then keys.
            jigsaw_pixel_values (`torch.Tensor` of shape `(batch, jigsaw_patches, channels, h, w)`): shuffled patches
                of each image; `None` where `jigsaw_patches` is 0.

        Returns:
            [`SSLOutput`], with the losses of the views and of the patches in `logs`. In training, the keys of all
            processes enter the queue after the loss.

        Raises:
            ValueError: when there are not two views, other patches than the configuration has, or more images at once
                than the queue is long.
        """
        require_views(self, pixel_values, exactly=2)
        self._require_patches(jigsaw_pixel_values, len(pixel_values))
        first, second = pixel_values.unbind(1)
        embeddings, of_view = self.project(self, first)
        queries = [of_view]
        if jigsaw_pixel_values is not None:
            patches = encode_crops(self.backbone, [jigsaw_pixel_values], self.config.pooling)  # [B, patches, D]
            queries.append(unit_norm(self.jigsaw_projector(patches)))
        losses = self.contrast([(queries, second)])
        loss, logs = losses[0], {"view_loss": losses[0].detach()}
        if jigsaw_pixel_values is not None:
            loss = torch.lerp(*losses, self.config.jigsaw_weight)
            logs["jigsaw_loss"] = losses[1].detach()
        return SSLOutput(loss=loss if return_loss else None, logs=logs, embeddings=embeddings.detach())

    def _require_patches(self, patches: torch.Tensor | None, batch: int) -> None:
        count = self.config.jigsaw_patches
        shape = None if patches is None else tuple(patches.shape)
        if (shape is not None) != (count > 0) or (shape and (len(shape) != 5 or shape[:2] != (batch, count))):
            raise ValueError(
                f"InfoMinConfig.jigsaw_patches is {count}: jigsaw_pixel_values must "
                + (f"have the shape ({batch}, {count}, channels, h, w)" if count else "be None")
                + f", got {shape}. The image processor's jigsaw_grid squared must be jigsaw_patches."
            )
