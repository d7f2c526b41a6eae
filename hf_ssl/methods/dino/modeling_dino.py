"""DINO (arXiv:2104.14294): self-distillation with no labels, from a moving-average teacher, over many crops."""

from dataclasses import dataclass

import torch
from transformers.utils.generic import can_return_tuple

from ...bases.self_distillation import SelfDistillationModel
from ...modeling_utils import SSLOutput, encode_crops
from .configuration_dino import DinoConfig


@dataclass
class DinoOutput(SSLOutput):
    """
    [`SSLOutput`]; `logs` holds the mean entropy of the teacher's outputs, the entropy of their mean, and the loss that
    a uniform teacher gives, all in nats.
    """


class DinoForPreTraining(SelfDistillationModel):
    config: DinoConfig
    _keep_in_fp32_modules_strict = {"center", "center_sum", "center_batches"}

    def __init__(self, config: DinoConfig):
        super().__init__(config)  # self.backbone, self.head, self.student
        temperatures = config.teacher_temperature, config.warmup_teacher_temperature
        self.distillation = self.distillation_of("center", *temperatures)
        self.distillations = (self.distillation,)
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
        self.require_large_crops(pixel_values)
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
