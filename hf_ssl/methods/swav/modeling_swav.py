"""SwAV (arXiv:2006.09882): swapped assignments between views, balanced over the batch, and multi-crop."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from transformers.utils.generic import can_return_tuple

from ...modeling_utils import SSLOutput, SSLPreTrainedModel, encode_crops, require_views
from ...nn.assignment import sinkhorn
from ...nn.distributed import gather, rank, sum_over_ranks, world_size
from ...nn.heads import MLPHead
from ...nn.losses import cross_view_entropy
from ...nn.queue import Queue
from .configuration_swav import SwAVConfig


class SwAVForPreTraining(SSLPreTrainedModel):
    """
    The prototypes are a plain linear layer, whose rows the hooks bring back to unit norm around every step: the
    gradient is that of the official code, and `forward` changes nothing but the queue.

    The queue is one for all processes, in contrast to the official one for each: any number of processes gives the
    same assignments.
    """

    config: SwAVConfig
    min_batch_size = 2  # the images of a batch share the prototypes among them
    ddp_skip_broadcast = ("queue",)

    def __init__(self, config: SwAVConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        # A bias before the BatchNorm, as in the official projector.
        self.projector = MLPHead([self.embed_dim, *config.projection_sizes], hidden_bias=True)
        dim = config.projection_sizes[-1]
        self.prototypes = nn.Linear(dim, config.num_prototypes, bias=False)
        # A row holds the features of the assigned crops of one image.
        self.queue = (
            Queue(config.queue_length, config.assigned_crops * dim, empty=True) if config.queue_length else None
        )
        self.queue_started, self.queue_full = config.queue_start_share == 0, False
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        local_pixel_values: torch.Tensor | None = None,
        return_loss: bool = True,
        **kwargs,
    ) -> SSLOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, 2, channels, height, width)`): global crops.
            local_pixel_values (`torch.Tensor` of shape `(batch, crops, channels, h, w)`, *optional*): small crops,
                which predict but are not assigned.

        Returns:
            [`SSLOutput`]; `logs` holds the mean entropy of the assignments, the share of the prototypes that are the
            first choice of a crop in the global batch, and the loss of a uniform prediction, in nats. In training, the
            features of all processes enter the queue after the assignment.

        Raises:
            ValueError: when there are fewer global crops than `assigned_crops`, or more images at once than the queue
                is long.
        """
        require_views(self, pixel_values, at_least=self.config.assigned_crops)
        crops = [pixel_values] if local_pixel_values is None else [pixel_values, local_pixel_values]
        embeddings = encode_crops(self.backbone, crops, self.config.pooling)  # [B, V, D]
        projections = self.projector(embeddings.flatten(0, 1)).float()
        features = F.normalize(projections, dim=-1).unflatten(0, embeddings.shape[:2])
        scores = self._score(features)  # [B, V, K]
        with torch.no_grad():
            targets = self._assign(features.detach(), scores.detach())  # [B, A, K]
            used = torch.bincount(targets.argmax(-1).flatten(), minlength=self.config.num_prototypes)
            logs = {
                "assignment_entropy": torch.special.entr(targets).sum(-1).mean(),
                "prototypes_used": (sum_over_ranks(used) > 0).float().mean(),
                "uniform_loss": torch.tensor(math.log(self.config.num_prototypes), device=targets.device),
            }
        log_probabilities = (scores / self.config.temperature).log_softmax(-1)
        loss = cross_view_entropy(targets, log_probabilities) if return_loss else None
        return SSLOutput(loss=loss, logs=logs, embeddings=embeddings[:, 0].detach())

    def _score(self, features: torch.Tensor) -> torch.Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return F.linear(features.float(), self.prototypes.weight.float())

    def _assign(self, features: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Assignments (B, A, K) of the first crops of features (B, V, D) and scores (B, V, K), one crop at a time."""
        c = self.config
        past = None
        if self.queue_full and self.queue_started:
            rows = self.queue.rows[rank() :: world_size()]  # each process balances its share of the queue
            past = self._score(rows.unflatten(1, (c.assigned_crops, -1)))
        targets = []
        for crop in range(c.assigned_crops):
            s = scores[:, crop] if past is None else torch.cat([past[:, crop], scores[:, crop]])
            targets.append(sinkhorn(s, c.sinkhorn_epsilon, c.sinkhorn_iterations)[-len(scores) :])
        if self.training and self.queue is not None and self.queue_started:
            self.queue.put_(gather(features[:, : c.assigned_crops].flatten(1)))
        return torch.stack(targets, dim=1)

    def initialize_weights(self):
        super().initialize_weights()
        self._look_at_queue()

    def _look_at_queue(self) -> None:
        # Between steps, and no longer once it is full: an accelerator has to be waited for.
        if self.queue is not None and not self.queue_full and not self.queue.rows.is_meta:
            self.queue_full = self.queue.is_full()

    @torch.no_grad()
    def _normalize_prototypes(self) -> None:
        self.prototypes.weight.copy_(F.normalize(self.prototypes.weight, dim=-1))

    def on_step_begin(self, step: int, total_steps: int) -> None:
        self.queue_started = step >= self.config.queue_start_share * total_steps
        self._look_at_queue()
        self._normalize_prototypes()

    def before_optimizer_step(self, step: int, total_steps: int) -> None:
        if step < self.config.freeze_prototypes_share * total_steps:
            self.prototypes.weight.grad = None

    def after_optimizer_step(self, step: int, total_steps: int) -> None:
        self._normalize_prototypes()  # for evaluation and checkpoints; the next step would do it too
