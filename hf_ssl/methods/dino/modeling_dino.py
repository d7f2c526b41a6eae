"""DINO (arXiv:2104.14294): self-distillation with no labels, from a moving-average teacher, over many crops."""

from dataclasses import dataclass

import torch
from transformers.utils.generic import can_return_tuple

from ...encoders import encoder_for
from ...modeling_utils import (
    SSLOutput,
    SSLPreTrainedModel,
    encode_crops,
)
from ...nn.heads import PrototypeHead
from ...nn.network_copy import NetworkCopy, ema_
from ...nn.schedules import cosine
from ...nn.self_distillation import SelfDistillation
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
        super().__init__(config)  # self.backbone, self.embed_dim
        sizes = [self.embed_dim, *config.head_sizes]
        self.head = PrototypeHead(sizes, config.num_prototypes, config.norm_last_layer, config.head_batch_norm)
        self.student = NetworkCopy(backbone=self.backbone, head=self.head)
        if config.student_drop_path_rate > 0:
            encoder_for(config.backbone_config).add_drop_path(self.student.backbone, config.student_drop_path_rate)
        self.distillation = SelfDistillation(
            self,
            "center",
            config.num_prototypes,
            config.student_temperature,
            config.teacher_temperature,
            config.warmup_teacher_temperature,
            config.warmup_teacher_share,
            config.center_momentum,
        )
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
            teacher = self  # its backbone and head are the teacher's
            logits, embeddings = self._project(teacher, [pixel_values])  # [B, 2, K], [B, 2, D]
            targets = self.distillation.targets(self, logits)
            logs = self.distillation.statistics(targets)
        logits, _ = self._project(self.student, crops)  # [B, V, K]
        loss = self.distillation.cross_view_loss(targets, logits) if return_loss else None
        return DinoOutput(loss=loss, logs=logs, embeddings=embeddings[:, 0])

    def _project(self, network, crops: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (B, V, K) and embeddings (B, V, D) of crops, each (B, V_i, C, H_i, W_i), by student or teacher."""
        embeddings = encode_crops(network.backbone, crops, self.config.pooling)
        return network.head(embeddings), embeddings

    def initialize_weights(self):
        super().initialize_weights()
        self.distillation.forget_batches(self)

    def on_step_begin(self, step: int, total_steps: int) -> None:
        self.distillation.on_step_begin(self, step, total_steps)

    def before_optimizer_step(self, step: int, total_steps: int) -> None:
        if step < self.config.freeze_prototypes_share * total_steps:
            self.student.head.drop_prototype_gradients_()

    def after_optimizer_step(self, step: int, total_steps: int) -> None:
        self.distillation.after_optimizer_step(self)
        momentum = cosine(step, total_steps, self.config.teacher_momentum, 1.0)
        ema_(self.backbone, self.student.backbone, momentum)
        ema_(self.head, self.student.head, momentum)
