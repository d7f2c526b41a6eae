"""InfoMin (arXiv:2005.10243): momentum contrast of views, and of shuffled patches, that share less."""

import torch
import torch.nn.functional as F
from transformers.utils.generic import can_return_tuple

from ...modeling_utils import (
    SSLOutput,
    SSLPreTrainedModel,
    encode,
    encode_crops,
    require_views,
)
from ...nn.contrast import momentum_contrast
from ...nn.heads import JigsawHead, MLPHead
from ...nn.network_copy import NetworkCopy, ema_
from ...nn.queue import Queue, require_queue_fits
from ...nn.shuffle import has_batch_norm
from .configuration_infomin import InfoMinConfig


class InfoMinForPreTraining(SSLPreTrainedModel):
    config: InfoMinConfig
    frozen_modules = ("target",)
    ddp_skip_broadcast = ("queue",)
    local_batch_norm = ("backbone", "projector", "jigsaw_projector", "target")  # shuffled instead

    def __init__(self, config: InfoMinConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        sizes = [self.embed_dim, *config.projection_sizes]
        self.projector = MLPHead(sizes, batch_norm=False)
        # The patches are queries only: they look for the key of a view, so the twin has no such head.
        self.jigsaw_projector = JigsawHead(sizes, config.jigsaw_patches) if config.jigsaw_patches else None
        self.target = NetworkCopy(backbone=self.backbone, projector=self.projector)
        self.queue = Queue(config.queue_length, config.projection_sizes[-1])
        self.shuffles = config.shuffle_batch_norm and has_batch_norm(self.target)
        self.post_init()

    def size_for(self, num_samples: int) -> None:
        require_queue_fits(self.config.queue_length, num_samples, "InfoMinConfig.queue_length")

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
        h = encode(self.backbone, first, self.config.pooling)
        queries = [_unit(self.projector(h))]
        if jigsaw_pixel_values is not None:
            patches = encode_crops(self.backbone, [jigsaw_pixel_values], self.config.pooling)  # [B, patches, D]
            queries.append(_unit(self.jigsaw_projector(patches)))
        losses = momentum_contrast(
            [(queries, second)],
            self._encode_keys,
            self.queue,
            self.config.temperature,
            shuffle=self.shuffles,
            enqueue=self.training,
        )
        loss, logs = losses[0], {"view_loss": losses[0].detach()}
        if jigsaw_pixel_values is not None:
            loss = torch.lerp(*losses, self.config.jigsaw_weight)
            logs["jigsaw_loss"] = losses[1].detach()
        return SSLOutput(loss=loss if return_loss else None, logs=logs, embeddings=h.detach())

    def _encode_keys(self, images: torch.Tensor) -> torch.Tensor:
        return _unit(self.target.projector(encode(self.target.backbone, images, self.config.pooling)))

    def _require_patches(self, patches: torch.Tensor | None, batch: int) -> None:
        count = self.config.jigsaw_patches
        shape = None if patches is None else tuple(patches.shape)
        if (shape is not None) != (count > 0) or (shape and (len(shape) != 5 or shape[:2] != (batch, count))):
            raise ValueError(
                f"InfoMinConfig.jigsaw_patches is {count}: jigsaw_pixel_values must "
                + (f"have the shape ({batch}, {count}, channels, h, w)" if count else "be None")
                + f", got {shape}. The image processor's jigsaw_grid squared must be jigsaw_patches."
            )

    def after_optimizer_step(self, step: int, total_steps: int) -> None:
        ema_(self.target.backbone, self.backbone, self.config.target_momentum)
        ema_(self.target.projector, self.projector, self.config.target_momentum)


def _unit(projections: torch.Tensor) -> torch.Tensor:
    return F.normalize(projections.float(), dim=-1)
