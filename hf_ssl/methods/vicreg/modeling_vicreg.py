"""VICReg (arXiv:2105.04906): variance, invariance and covariance, each a term of its own."""

from itertools import combinations

import torch
from transformers.utils.generic import can_return_tuple

from ...modeling_utils import SSLOutput, SSLPreTrainedModel, encode_views, require_views
from ...nn.heads import MLPHead
from ...nn.losses import vicreg
from .configuration_vicreg import VICRegConfig


class VICRegForPreTraining(SSLPreTrainedModel):
    config: VICRegConfig
    zero_init_residual = True  # as in the official code
    min_batch_size = 2  # the loss takes variances over images

    def __init__(self, config: VICRegConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        sizes = [self.embed_dim, *config.projection_sizes]
        self.projector = MLPHead(sizes, hidden_bias=True, last_bias=False)  # biases as in the official code
        self.post_init()

    @can_return_tuple
    def forward(self, pixel_values: torch.Tensor, return_loss: bool = True, **kwargs) -> SSLOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, views, channels, height, width)`): two views; of more, the
                mean over all pairs counts.

        Returns:
            [`SSLOutput`], with equation 6 over the batch of all processes together, and its three terms in `logs`.
        """
        require_views(self, pixel_values)
        embeddings = encode_views(self.backbone, pixel_values, self.config.pooling)
        pairs = combinations([self.projector(embedding) for embedding in embeddings], 2)
        terms = torch.stack([torch.stack(vicreg(first, second)) for first, second in pairs]).mean(0)
        invariance, variance, covariance = terms
        c = self.config
        loss = c.invariance_weight * invariance + c.variance_weight * variance + c.covariance_weight * covariance
        logs = dict(zip(("invariance", "variance", "covariance"), terms.detach(), strict=True))
        return SSLOutput(loss=loss if return_loss else None, logs=logs, embeddings=embeddings[0].detach())
