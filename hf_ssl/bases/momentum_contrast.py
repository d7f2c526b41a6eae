"""Momentum contrast (MoCo, arXiv:1911.05722): a network, its moving average, and a queue of the keys of that one."""

import torch
import torch.nn.functional as F

from ..configuration_utils import SSLConfig
from ..modeling_utils import SSLPreTrainedModel, encode
from ..nn.contrast import momentum_contrast
from ..nn.heads import MLPHead
from ..nn.network_copy import NetworkCopy, ema_
from ..nn.queue import Queue, require_queue_fits
from ..nn.shuffle import has_batch_norm


class MomentumContrastModel(SSLPreTrainedModel):
    """A method calls `add_target` once all networks of its own are there, and adds the loss."""

    frozen_modules = ("target",)
    ddp_skip_broadcast = ("queue",)
    local_batch_norm = ("backbone", "projector", "target")  # shuffled instead

    def __init__(self, config: SSLConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        self.projector = MLPHead([self.embed_dim, *config.projection_sizes], batch_norm=False)

    def add_target(self) -> None:
        """`target`, the moving average, and `queue`, its keys."""
        self.target = NetworkCopy(backbone=self.backbone, projector=self.projector)
        self.queue = Queue(self.config.queue_length, self.config.projection_sizes[-1])
        self.shuffles = self.config.shuffle_batch_norm and has_batch_norm(self.target)

    def size_for(self, num_samples: int) -> None:
        require_queue_fits(self.config.queue_length, num_samples, f"{type(self.config).__name__}.queue_length")

    def project(self, network: SSLPreTrainedModel | NetworkCopy, images: torch.Tensor):
        """Embeddings (batch, width), and queries or keys of unit norm, by this model or by its target."""
        embeddings = encode(network.backbone, images, self.config.pooling)
        return embeddings, unit_norm(network.projector(embeddings))

    def contrast(self, pairs: list[tuple[list[torch.Tensor], torch.Tensor]]) -> list[torch.Tensor]:
        """[`momentum_contrast`] of queries with the images that they have to find; in training, keys are kept."""
        return momentum_contrast(
            pairs,
            lambda images: self.project(self.target, images)[1],
            self.queue,
            self.config.temperature,
            shuffle=self.shuffles,
            enqueue=self.training,
        )

    def after_optimizer_step(self, step: int, total_steps: int) -> None:
        ema_(self.target.backbone, self.backbone, self.config.target_momentum)
        ema_(self.target.projector, self.projector, self.config.target_momentum)


def unit_norm(projections: torch.Tensor) -> torch.Tensor:
    """Projections (batch, width) in float32, each of norm 1."""
    return F.normalize(projections.float(), dim=-1)
