"""SimCLR (arXiv:2002.05709): pull two views of an image together, push all other images of the batch away."""

from dataclasses import dataclass

import torch
from transformers.utils.generic import can_return_tuple

from ...modeling_utils import SSLOutput, SSLPreTrainedModel, encode, require_views
from ...nn.heads import MLPHead
from ...nn.losses import nt_xent
from .configuration_simclr import SimCLRConfig


@dataclass
class SimCLROutput(SSLOutput):
    """
    [`SSLOutput`] and:

    Args:
        projections (`torch.Tensor` of shape `(batch, views, projection)`): what the loss compares, not normalised.
    """

    projections: torch.Tensor | None = None


class SimCLRForPreTraining(SSLPreTrainedModel):
    config: SimCLRConfig
    zero_init_residual = True  # as in the official code
    min_batch_size = 2  # the negatives are other images

    def __init__(self, config: SimCLRConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        sizes = [self.embed_dim, *config.projection_sizes]
        last = "scale" if config.projector_last_batch_norm else None
        self.projector = MLPHead(sizes, config.projector_batch_norm, last_batch_norm=last)
        self.post_init()

    @can_return_tuple
    def forward(self, pixel_values: torch.Tensor, return_loss: bool = True, **kwargs) -> SimCLROutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, views, channels, height, width)`): two or more views.

        Returns:
            [`SimCLROutput`], with the loss over the batch of all processes together.

        Raises:
            ValueError: for a batch of one image, or of one view, which has nothing to compare.
        """
        require_views(self, pixel_values)
        embeddings = encode(self.backbone, pixel_values.flatten(0, 1), self.config.pooling)  # [B * V, D]
        projections = self.projector(embeddings).unflatten(0, pixel_values.shape[:2])  # [B, V, P]
        loss = nt_xent(projections, self.config.temperature) if return_loss else None
        first = embeddings.detach().unflatten(0, pixel_values.shape[:2])[:, 0]
        return SimCLROutput(loss=loss, embeddings=first, projections=projections)
