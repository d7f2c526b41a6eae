"""A student and its moving-average teacher, which is what gets published (DINO, arXiv:2104.14294; iBOT)."""

import torch

from ..configuration_utils import SSLConfig
from ..encoders import encoder_for
from ..modeling_utils import SSLPreTrainedModel
from ..nn.heads import PrototypeHead
from ..nn.network_copy import NetworkCopy, ema_
from ..nn.schedules import cosine
from ..nn.self_distillation import SelfDistillation


class SelfDistillationModel(SSLPreTrainedModel):
    """The teacher is `backbone` and `head`, the student `student`. A method adds `distillations`, and the loss."""

    frozen_modules = ("backbone", "head")
    distillations: tuple[SelfDistillation, ...] = ()

    def __init__(self, config: SSLConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        sizes = [self.embed_dim, *config.head_sizes]
        self.head = PrototypeHead(sizes, config.num_prototypes, config.norm_last_layer, config.head_batch_norm)
        self.student = NetworkCopy(backbone=self.backbone, head=self.head)
        if config.student_drop_path_rate > 0:
            encoder_for(config.backbone_config).add_drop_path(self.student.backbone, config.student_drop_path_rate)

    def distillation_of(self, name: str, temperature: float, warmup_temperature: float) -> SelfDistillation:
        """One objective: the centre's name, and the teacher's temperature after its warm-up and at the start."""
        c = self.config
        temperatures = c.student_temperature, temperature, warmup_temperature
        return SelfDistillation(self, name, c.num_prototypes, *temperatures, c.warmup_teacher_share, c.center_momentum)

    def require_large_crops(self, pixel_values: torch.Tensor) -> None:
        """A `ValueError` where `pixel_values` is not `(batch, crops, channels, height, width)`, of two or more."""
        if pixel_values.ndim != 5 or pixel_values.shape[1] < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 large crops: pixel_values must have the shape (batch, 2, "
                f"channels, height, width), got {tuple(pixel_values.shape)}."
            )

    def initialize_weights(self):
        super().initialize_weights()
        for distillation in self.distillations:
            distillation.forget_batches(self)

    def on_step_begin(self, step: int, total_steps: int) -> None:
        for distillation in self.distillations:
            distillation.on_step_begin(self, step, total_steps)

    def before_optimizer_step(self, step: int, total_steps: int) -> None:
        if step < self.config.freeze_prototypes_share * total_steps:
            self.student.head.drop_prototype_gradients_()

    def after_optimizer_step(self, step: int, total_steps: int) -> None:
        for distillation in self.distillations:
            distillation.after_optimizer_step(self)
        momentum = cosine(step, total_steps, self.config.teacher_momentum, 1.0)
        ema_(self.backbone, self.student.backbone, momentum)
        ema_(self.head, self.student.head, momentum)
