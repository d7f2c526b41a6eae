"""Barlow Twins (arXiv:2103.03230): decorrelate the features, agree on each of them."""

from itertools import combinations

import torch
from transformers.utils.generic import can_return_tuple

from ...modeling_utils import SSLOutput, SSLPreTrainedModel, encode_views, require_views
from ...nn.heads import MLPHead
from ...nn.losses import barlow_twins
from .configuration_barlow_twins import BarlowTwinsConfig


class BarlowTwinsForPreTraining(SSLPreTrainedModel):
    config: BarlowTwinsConfig
    zero_init_residual = True  # as in the official code
    min_batch_size = 2  # the loss correlates images

    def __init__(self, config: BarlowTwinsConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        self.projector = MLPHead([self.embed_dim, *config.projection_sizes], last_bias=False)
        self.post_init()

    @can_return_tuple
    def forward(self, pixel_values: torch.Tensor, return_loss: bool = True, **kwargs) -> SSLOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, views, channels, height, width)`): two views; more of them
                make more pairs, whose mean counts.

        Returns:
            [`SSLOutput`], with equation 1 over the batch of all processes together.
        """
        require_views(self, pixel_values)
        embeddings = encode_views(self.backbone, pixel_values, self.config.pooling)
        pairs = combinations([self.projector(embedding) for embedding in embeddings], 2)
        losses = [barlow_twins(first, second, self.config.redundancy_weight) for first, second in pairs]
        return SSLOutput(loss=torch.stack(losses).mean() if return_loss else None, embeddings=embeddings[0].detach())
