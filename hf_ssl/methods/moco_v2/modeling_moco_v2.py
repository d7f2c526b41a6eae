"""MoCo v2 (arXiv:2003.04297): contrast with a queue of keys from a momentum encoder."""

import torch
import torch.nn.functional as F
from transformers.utils.generic import can_return_tuple

from ...modeling_utils import (
    SSLOutput,
    SSLPreTrainedModel,
    encode,
    require_views,
)
from ...nn.contrast import momentum_contrast
from ...nn.heads import MLPHead
from ...nn.network_copy import NetworkCopy, ema_
from ...nn.queue import Queue, require_queue_fits
from ...nn.shuffle import has_batch_norm
from .configuration_moco_v2 import MoCoV2Config


class MoCoV2ForPreTraining(SSLPreTrainedModel):
    config: MoCoV2Config
    frozen_modules = ("target",)
    ddp_skip_broadcast = ("queue",)
    local_batch_norm = ("backbone", "projector", "target")  # shuffled instead

    def __init__(self, config: MoCoV2Config):
        super().__init__(config)  # self.backbone, self.embed_dim
        self.projector = MLPHead([self.embed_dim, *config.projection_sizes], batch_norm=False)
        self.target = NetworkCopy(backbone=self.backbone, projector=self.projector)
        self.queue = Queue(config.queue_length, config.projection_sizes[-1])
        self.shuffles = config.shuffle_batch_norm and has_batch_norm(self.target)
        self.post_init()

    def size_for(self, num_samples: int) -> None:
        require_queue_fits(self.config.queue_length, num_samples, "MoCoV2Config.queue_length")

    @can_return_tuple
    def forward(self, pixel_values: torch.Tensor, return_loss: bool = True, **kwargs) -> SSLOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, 2, channels, height, width)`): queries, then keys.

        Returns:
            [`SSLOutput`]. In training, the keys of all processes enter the queue after the loss.

        Raises:
            ValueError: when there are not two views, or more images at once than the queue is long.
        """
        require_views(self, pixel_values, exactly=2)
        first, second = pixel_values.unbind(1)
        pairs, embeddings = [], []
        for query, key in ((first, second), (second, first))[: 2 if self.config.symmetric_loss else 1]:
            h, q = self._project(self, query)
            pairs.append(([q], key))
            embeddings.append(h.detach())
        losses = momentum_contrast(
            pairs,
            lambda images: self._project(self.target, images)[1],
            self.queue,
            self.config.temperature,
            shuffle=self.shuffles,
            enqueue=self.training,
        )
        loss = sum(losses) / len(losses)
        return SSLOutput(loss=loss if return_loss else None, embeddings=embeddings[0])

    def _project(self, network, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings and queries or keys, by this model or its twin."""
        h = encode(network.backbone, images, self.config.pooling)
        return h, F.normalize(network.projector(h).float(), dim=-1)

    def after_optimizer_step(self, step: int, total_steps: int) -> None:
        ema_(self.target.backbone, self.backbone, self.config.target_momentum)
        ema_(self.target.projector, self.projector, self.config.target_momentum)
