"""MoCo v2 (arXiv:2003.04297): contrast with a queue of keys from a momentum encoder."""

import torch
import torch.nn.functional as F
from torch import nn
from transformers.utils.generic import can_return_tuple

from ...modeling_utils import (
    SSLForImageClassification,
    SSLModel,
    SSLOutput,
    SSLPreTrainedModel,
    build_backbone,
    embed_dim,
    encode,
    require_queue_fits,
    require_views,
)
from ...nn.heads import MLPHead
from ...nn.losses import info_nce
from ...nn.momentum import Twin, ema_
from ...nn.queue import Queue
from ...nn.shuffle import encode_shuffled, own_share
from .configuration_moco_v2 import MoCoV2Config


class MoCoV2Model(SSLModel):
    config: MoCoV2Config


class MoCoV2ForImageClassification(SSLForImageClassification):
    config: MoCoV2Config


class MoCoV2ForPreTraining(SSLPreTrainedModel):
    config: MoCoV2Config
    frozen_modules = ("target",)
    same_on_every_rank = ("queue",)

    def __init__(self, config: MoCoV2Config):
        super().__init__(config)
        self.backbone = build_backbone(config.backbone_config)
        self.projector = MLPHead([embed_dim(config.backbone_config), *config.projection_sizes], batch_norm=False)
        self.target = Twin(backbone=self.backbone, projector=self.projector)
        self.queue = Queue(config.queue_length, config.projection_sizes[-1])
        has_batch_norm = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in self.target.modules())
        self.shuffles = config.shuffle_batch_norm and has_batch_norm
        self.post_init()

    def on_data(self, num_samples: int) -> None:
        require_queue_fits(self.config, num_samples)

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
        views = pixel_values.unbind(1)
        loss, embeddings, new_keys = 0.0, [], []
        negatives = self.queue.rows.clone()
        anchors = 2 if self.config.symmetric_loss else 1
        for query, key in ((0, 1), (1, 0))[:anchors]:
            h = encode(self.backbone, views[query], self.config.pooling)
            q = F.normalize(self.projector(h).float(), dim=-1)
            keys = encode_shuffled(self._encode_keys, views[key], self.shuffles)
            loss = loss + info_nce(q, own_share(keys), negatives, self.config.temperature) / anchors
            embeddings.append(h.detach())
            new_keys.append(keys)
        if self.training:
            for keys in new_keys:
                self.queue.put_(keys)
        return SSLOutput(loss=loss if return_loss else None, embeddings=embeddings[0])

    def _encode_keys(self, images: torch.Tensor) -> torch.Tensor:
        h = encode(self.target.backbone, images, self.config.pooling)
        return F.normalize(self.target.projector(h).float(), dim=-1)

    def after_optimizer_step(self, step: int, total_steps: int) -> None:
        ema_(self.target.backbone, self.backbone, self.config.target_momentum)
        ema_(self.target.projector, self.projector, self.config.target_momentum)
