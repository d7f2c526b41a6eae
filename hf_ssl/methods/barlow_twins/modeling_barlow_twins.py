"""Barlow Twins (arXiv:2103.03230): decorrelate the features, agree on each of them."""

from itertools import combinations

import torch
from transformers.utils.generic import can_return_tuple

from ...modeling_utils import (
    SSLOutput,
    SSLPreTrainedModel,
    encode,
    require_views,
)
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
            pixel_values (`torch.Tensor` of shape `(batch, views, channels, height, width)`): two views; of more, the
                mean over all pairs counts. Each view passes the network, and its BatchNorms, by itself.

        Returns:
            [`SSLOutput`], with equation 1 over the batch of all processes together.
        """
        require_views(self, pixel_values)
        h = [encode(self.backbone, view, self.config.pooling) for view in pixel_values.unbind(1)]
        z = [self.projector(x) for x in h]
        pairs = [barlow_twins(a, b, self.config.redundancy_weight) for a, b in combinations(z, 2)]
        return SSLOutput(loss=torch.stack(pairs).mean() if return_loss else None, embeddings=h[0].detach())
