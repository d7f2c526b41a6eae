"""DINO (arXiv:2104.14294): self-distillation with no labels, from a moving-average teacher, over many crops."""

import math
from dataclasses import dataclass

import torch
from transformers.utils.generic import can_return_tuple

from ...modeling_utils import (
    SSLOutput,
    SSLPreTrainedModel,
    build_backbone,
    embed_dim,
    encode_crops,
)
from ...nn.distributed import mean_over_ranks
from ...nn.drop_path import add_drop_path
from ...nn.heads import PrototypeHead
from ...nn.losses import cross_view_entropy
from ...nn.network_copy import NetworkCopy, ema_
from ...nn.schedules import cosine, warmup
from .configuration_dino import DinoConfig


@dataclass
class DinoOutput(SSLOutput):
    """
    [`SSLOutput`]; `logs` holds the mean entropy of the teacher's outputs, the entropy of their mean, and the loss that
    a uniform teacher gives, all in nats.
    """


class DinoForPreTraining(SSLPreTrainedModel):
    config: DinoConfig
    frozen_modules = ("backbone", "head")  # the teacher, which is what gets published
    _keep_in_fp32_modules_strict = {"center", "center_sum", "center_batches"}

    def __init__(self, config: DinoConfig):
        super().__init__(config)
        self.backbone = build_backbone(config.backbone_config)
        sizes = [embed_dim(config.backbone_config), *config.head_sizes]
        self.head = PrototypeHead(sizes, config.num_prototypes, config.norm_last_layer, config.head_batch_norm)
        self.student = NetworkCopy(backbone=self.backbone, head=self.head)
        if config.backbone_config.model_type == "vit" and config.student_drop_path_rate > 0:
            add_drop_path(self.student.backbone, config.student_drop_path_rate)
        self.register_buffer("center", torch.zeros(config.num_prototypes))
        # Mean logits of the teacher since the last optimizer step, summed over so many batches.
        self.register_buffer("center_sum", torch.zeros(config.num_prototypes), persistent=False)
        self.register_buffer("center_batches", torch.zeros(()), persistent=False)
        self.temperature = config.warmup_teacher_temperature
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        local_pixel_values: torch.Tensor | None = None,
        return_loss: bool = True,
        **kwargs,
    ) -> DinoOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, 2, channels, height, width)`): global crops, for both.
            local_pixel_values (`torch.Tensor` of shape `(batch, crops, channels, h, w)`, *optional*): for the student.

        Returns:
            [`DinoOutput`]. In training, the mean over all processes is kept for the centre, which moves once an
            optimizer step, in `after_optimizer_step`.

        Raises:
            ValueError: when `pixel_values` does not hold at least two views.
        """
        if pixel_values.dim() != 5 or pixel_values.shape[1] < 2:
            raise ValueError(
                "DINO needs at least 2 global crops: pixel_values must have the shape (batch, 2, channels, height, "
                f"width), got {tuple(pixel_values.shape)}."
            )
        crops = [pixel_values] if local_pixel_values is None else [pixel_values, local_pixel_values]
        with torch.no_grad():  # first, while no activations are kept
            teacher, h = self._project(self, [pixel_values])  # [B, 2, K], [B, 2, D]
            teacher = teacher.float()
            targets = ((teacher - self.center) / self.temperature).softmax(-1)
            if self.training:
                self.center_sum.add_(mean_over_ranks(teacher.mean((0, 1))))
                self.center_batches.add_(1)
            logs = {
                "teacher_entropy": torch.special.entr(targets).sum(-1).mean(),
                "mean_teacher_entropy": torch.special.entr(targets.mean((0, 1))).sum(),
                "uniform_loss": torch.tensor(math.log(self.config.num_prototypes), device=targets.device),
            }
        student, _ = self._project(self.student, crops)  # [B, V, K]
        log_probabilities = (student.float() / self.config.student_temperature).log_softmax(-1)
        loss = cross_view_entropy(targets, log_probabilities) if return_loss else None
        return DinoOutput(loss=loss, logs=logs, embeddings=h[:, 0])

    def _project(self, network, crops: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (B, V, K) and embeddings (B, V, D) of crops, each (B, V_i, C, H_i, W_i), by student or teacher."""
        h = encode_crops(network.backbone, crops, self.config.pooling)
        return network.head(h.flatten(0, 1)).unflatten(0, h.shape[:2]), h

    def initialize_weights(self):
        super().initialize_weights()
        self._forget_batches()

    def _forget_batches(self) -> None:
        self.center_sum.zero_()
        self.center_batches.zero_()

    def on_step_begin(self, step: int, total_steps: int) -> None:
        self._forget_batches()
        c = self.config
        steps = round(c.warmup_teacher_share * total_steps)
        self.temperature = warmup(step, steps, c.warmup_teacher_temperature, c.teacher_temperature)

    def before_optimizer_step(self, step: int, total_steps: int) -> None:
        if step < self.config.freeze_prototypes_share * total_steps:
            for parameter in (self.student.head.prototypes.weight, self.student.head.norms):
                if parameter is not None:
                    parameter.grad = None

    @torch.no_grad()
    def after_optimizer_step(self, step: int, total_steps: int) -> None:
        share = (1 - self.config.center_momentum) * (self.center_batches > 0)  # a tensor: nobody waits for the device
        self.center.lerp_(self.center_sum / self.center_batches.clamp_min(1), share.to(self.center.dtype))
        self._forget_batches()
        momentum = cosine(step, total_steps, self.config.teacher_momentum, 1.0)
        ema_(self.backbone, self.student.backbone, momentum)
        ema_(self.head, self.student.head, momentum)
