"""SimSiam (arXiv:2011.10566): a siamese network that does not collapse, thanks to a stop-gradient."""

from itertools import permutations

import torch
import torch.nn.functional as F
from transformers.utils.generic import can_return_tuple

from ...modeling_utils import SSLOutput, SSLPreTrainedModel, encode, require_views
from ...nn.heads import MLPHead
from ...nn.losses import negative_cosine
from ...nn.parameter_groups import OptimizerArguments, Treatment, grouped
from .configuration_simsiam import SimSiamConfig


class SimSiamForPreTraining(SSLPreTrainedModel):
    config: SimSiamConfig
    zero_init_residual = True  # as in the official code
    min_batch_size = 2  # the heads have BatchNorm of one view at a time,
    min_eval_batch_size = 1  # whose running statistics serve in evaluation

    def __init__(self, config: SimSiamConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        width = config.projection_sizes[-1]
        self.projector = MLPHead([self.embed_dim, *config.projection_sizes], last_batch_norm="plain")
        self.predictor = MLPHead([width, config.prediction_size, width])
        self.post_init()

    def parameter_groups(self, args: OptimizerArguments) -> list[dict]:
        """The learning rate of the predictor does not decay (section 4.2)."""
        predictor, rest = Treatment(schedule="constant"), Treatment()
        return grouped(
            self.named_parameters(), args, lambda name: predictor if name.startswith("predictor.") else rest
        )

    @can_return_tuple
    def forward(self, pixel_values: torch.Tensor, return_loss: bool = True, **kwargs) -> SSLOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, views, channels, height, width)`): two views; of more, every
                ordered pair counts. Each view passes the network, and its BatchNorms, by itself.

        Returns:
            [`SSLOutput`], with the loss of equation 2 and, in `logs`, the standard deviation of the normalised
            projections times the root of their width: 1 for a healthy network, 0 for a collapsed one (section 4.1).
        """
        require_views(self, pixel_values)
        embeddings, predictions, projections = [], [], []
        for view in pixel_values.unbind(1):
            embedding = encode(self.backbone, view, self.config.pooling)
            projection = self.projector(embedding)
            embeddings.append(embedding.detach())
            projections.append(projection.detach())
            predictions.append(self.predictor(projection))
        pairs = [negative_cosine(predictions[i], projections[j]) for i, j in permutations(range(len(projections)), 2)]
        loss = torch.stack(pairs).mean() if return_loss else None
        unit = F.normalize(projections[0].float(), dim=-1)
        logs = {"projection_std": unit.std(0, correction=0).mean() * unit.shape[1] ** 0.5}
        return SSLOutput(loss=loss, logs=logs, embeddings=embeddings[0])
