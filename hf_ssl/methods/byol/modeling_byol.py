"""BYOL (arXiv:2006.07733): bootstrap from a moving average of oneself, without negatives."""

from itertools import permutations

import torch
from transformers.utils.generic import can_return_tuple

from ...modeling_utils import SSLOutput, SSLPreTrainedModel, encode_views, require_views
from ...nn.heads import MLPHead
from ...nn.losses import negative_cosine
from ...nn.network_copy import NetworkCopy, ema_
from ...nn.schedules import cosine
from .configuration_byol import BYOLConfig


class BYOLForPreTraining(SSLPreTrainedModel):
    config: BYOLConfig
    zero_init_residual = True  # as in the official code
    min_batch_size = 2  # the heads have BatchNorm of one view at a time,
    min_eval_batch_size = 1  # whose running statistics serve in evaluation
    frozen_modules = ("target",)

    def __init__(self, config: BYOLConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        # Biases as in the official networks: before the hidden BatchNorm, and by default none at the end.
        biases = {"hidden_bias": True, "last_bias": config.last_bias}
        self.projector = MLPHead([self.embed_dim, *config.projection_sizes], **biases)
        self.predictor = MLPHead([config.projection_sizes[-1], *config.prediction_sizes], **biases)
        self.target = NetworkCopy(backbone=self.backbone, projector=self.projector)
        self.post_init()

    @can_return_tuple
    def forward(self, pixel_values: torch.Tensor, return_loss: bool = True, **kwargs) -> SSLOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, views, channels, height, width)`): two views; of more, every
                ordered pair counts.

        Returns:
            [`SSLOutput`], with the sum of equation 2 over the two directions (section 3.1).
        """
        require_views(self, pixel_values)
        with torch.no_grad():  # first, while no activations are kept
            slow = encode_views(self.target.backbone, pixel_values, self.config.pooling)
            targets = [self.target.projector(embedding) for embedding in slow]
        embeddings = encode_views(self.backbone, pixel_values, self.config.pooling)
        predictions = [self.predictor(self.projector(embedding)) for embedding in embeddings]
        pairs = [negative_cosine(predictions[i], targets[j]) for i, j in permutations(range(len(targets)), 2)]
        similarity = torch.stack(pairs).mean()
        loss = 2 * (2 + 2 * similarity) if return_loss else None
        return SSLOutput(loss=loss, embeddings=embeddings[0].detach())

    def after_optimizer_step(self, step: int, total_steps: int) -> None:
        momentum = cosine(step, total_steps, self.config.target_momentum, 1.0)
        ema_(self.target.backbone, self.backbone, momentum)
        ema_(self.target.projector, self.projector, momentum)
