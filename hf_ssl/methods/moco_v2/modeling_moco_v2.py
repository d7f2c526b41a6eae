"""MoCo v2 (arXiv:2003.04297): contrast with a queue of keys from a momentum encoder."""

import torch
from transformers.utils.generic import can_return_tuple

from ...bases.momentum_contrast import MomentumContrastModel
from ...modeling_utils import SSLOutput, require_views
from .configuration_moco_v2 import MoCoV2Config


class MoCoV2ForPreTraining(MomentumContrastModel):
    config: MoCoV2Config

    def __init__(self, config: MoCoV2Config):
        super().__init__(config)  # self.backbone, self.projector
        self.add_target()
        self.post_init()

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
        for images, others in ((first, second), (second, first))[: 2 if self.config.symmetric_loss else 1]:
            embedding, queries = self.project(self, images)
            pairs.append(([queries], others))
            embeddings.append(embedding.detach())
        losses = self.contrast(pairs)
        loss = sum(losses) / len(losses)
        return SSLOutput(loss=loss if return_loss else None, embeddings=embeddings[0])
