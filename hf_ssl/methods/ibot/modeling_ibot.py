"""iBOT (arXiv:2111.07832): self-distillation of views and of masked patches, from a moving-average teacher."""

from dataclasses import dataclass

import torch
from transformers.utils.generic import can_return_tuple

from ...encoders import encoder_for
from ...modeling_utils import SSLOutput, SSLPreTrainedModel, require_mask, run_pass
from ...nn.heads import PrototypeHead
from ...nn.network_copy import NetworkCopy, ema_
from ...nn.objectives import (
    CrossViewDistillation,
    MaskedPatchDistillation,
    Passes,
    add_up,
    clean,
    embedding_of,
    replace,
)
from ...nn.schedules import cosine
from ...nn.self_distillation import SelfDistillation
from .configuration_ibot import IBOTConfig

_TEACHER, _MASKED, _SMALL = clean(teacher=True), replace("bool_masked_pos"), clean("local_pixel_values")


@dataclass
class IBOTOutput(SSLOutput):
    """
    [`SSLOutput`]; `logs` holds the losses of views and patches, for both the mean entropy of the teacher's outputs and
    the entropy of their mean, and the loss that a uniform teacher gives, all in nats.
    """


class IBOTForPreTraining(SSLPreTrainedModel):
    config: IBOTConfig
    uses_mask_token = True
    supports_cached_chunks = False
    frozen_modules = ("backbone", "head")  # the teacher, which is what gets published
    _keep_in_fp32_modules_strict = {
        name + end for name in ("center", "patch_center") for end in ("", "_sum", "_batches")
    }

    def __init__(self, config: IBOTConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        sizes = [self.embed_dim, *config.head_sizes]
        self.head = PrototypeHead(sizes, config.num_prototypes, config.norm_last_layer, config.head_batch_norm)
        self.student = NetworkCopy(backbone=self.backbone, head=self.head)
        if config.student_drop_path_rate > 0:
            encoder_for(config.backbone_config).add_drop_path(self.student.backbone, config.student_drop_path_rate)
        of_views = (config.teacher_temperature, config.warmup_teacher_temperature)
        of_patches = (config.teacher_patch_temperature, config.warmup_teacher_patch_temperature)
        self.of_views, self.of_patches = (
            SelfDistillation(
                self,
                name,
                config.num_prototypes,
                config.student_temperature,
                *temperatures,
                config.warmup_teacher_share,
                config.center_momentum,
            )
            for name, temperatures in (("center", of_views), ("patch_center", of_patches))
        )
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        bool_masked_pos: torch.Tensor,
        local_pixel_values: torch.Tensor | None = None,
        return_loss: bool = True,
        **kwargs,
    ) -> IBOTOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, 2, channels, height, width)`): large crops, for both.
            bool_masked_pos (`torch.BoolTensor` of shape `(batch, 2, patches)`): True = masked, for the student.
            local_pixel_values (`torch.Tensor` of shape `(batch, crops, channels, h, w)`, *optional*): for the student.

        Returns:
            [`IBOTOutput`]. In training, the means over all processes are kept for the two centres, which move once an
            optimizer step, in `after_optimizer_step`.

        Raises:
            ValueError: when there are not at least two large crops, or not a mask for each.
        """
        batch = {"pixel_values": pixel_values, "bool_masked_pos": bool_masked_pos}
        views = [_MASKED]
        if local_pixel_values is not None:
            batch["local_pixel_values"] = local_pixel_values
            views.append(_SMALL)
        if pixel_values.ndim != 5 or pixel_values.shape[1] < 2:
            raise ValueError(
                "iBOT needs at least 2 large crops: pixel_values must have the shape (batch, 2, channels, height, "
                f"width), got {tuple(pixel_values.shape)}."
            )
        require_mask(self, pixel_values, bool_masked_pos)
        passes = Passes(
            lambda which: run_pass(self.backbone if which.teacher else self.student.backbone, which, batch)
        )
        objectives = {
            "view": CrossViewDistillation(self.of_views, _TEACHER, tuple(views)),
            "patch": MaskedPatchDistillation(self.of_patches, _TEACHER, _MASKED),
        }
        weights = {"view": self.config.view_weight, "patch": self.config.patch_weight}
        loss, logs = add_up(objectives, weights, self, passes, batch)
        embeddings = embedding_of(passes(_TEACHER)).unflatten(0, pixel_values.shape[:2])[:, 0]
        return IBOTOutput(loss=loss if return_loss else None, logs=logs, embeddings=embeddings)

    def initialize_weights(self):
        super().initialize_weights()
        for distillation in (self.of_views, self.of_patches):
            distillation.forget_batches(self)

    def on_step_begin(self, step: int, total_steps: int) -> None:
        for distillation in (self.of_views, self.of_patches):
            distillation.on_step_begin(self, step, total_steps)

    def before_optimizer_step(self, step: int, total_steps: int) -> None:
        if step < self.config.freeze_prototypes_share * total_steps:
            self.student.head.drop_prototype_gradients_()

    def after_optimizer_step(self, step: int, total_steps: int) -> None:
        for distillation in (self.of_views, self.of_patches):
            distillation.after_optimizer_step(self)
        momentum = cosine(step, total_steps, self.config.teacher_momentum, 1.0)
        ema_(self.backbone, self.student.backbone, momentum)
        ema_(self.head, self.student.head, momentum)
