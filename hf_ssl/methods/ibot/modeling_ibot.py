"""iBOT (arXiv:2111.07832): self-distillation of views and of masked patches, from a moving-average teacher."""

from dataclasses import dataclass

import torch
from transformers.utils.generic import can_return_tuple

from ...bases.self_distillation import SelfDistillationModel
from ...modeling_utils import SSLOutput, require_mask, run_pass
from ...nn.objectives import (
    CrossViewDistillation,
    MaskedPatchDistillation,
    Passes,
    add_up,
    clean,
    embedding_of,
    replace,
)
from .configuration_ibot import IBOTConfig

_TEACHER, _MASKED, _SMALL = clean(teacher=True), replace("bool_masked_pos"), clean("local_pixel_values")


@dataclass
class IBOTOutput(SSLOutput):
    """
    [`SSLOutput`]; `logs` holds the losses of views and patches, for both the mean entropy of the teacher's outputs and
    the entropy of their mean, and the loss that a uniform teacher gives, all in nats.
    """


class IBOTForPreTraining(SelfDistillationModel):
    config: IBOTConfig
    uses_mask_token = True
    supports_cached_chunks = False
    _keep_in_fp32_modules_strict = {
        name + end for name in ("center", "patch_center") for end in ("", "_sum", "_batches")
    }

    def __init__(self, config: IBOTConfig):
        super().__init__(config)  # self.backbone, self.head, self.student
        of_views = config.teacher_temperature, config.warmup_teacher_temperature
        of_patches = config.teacher_patch_temperature, config.warmup_teacher_patch_temperature
        self.distillations = (
            self.distillation_of("center", *of_views),
            self.distillation_of("patch_center", *of_patches),
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
        self.require_large_crops(pixel_values)
        require_mask(self, pixel_values, bool_masked_pos)
        passes = Passes(
            lambda which: run_pass(self.backbone if which.teacher else self.student.backbone, which, batch)
        )
        of_views, of_patches = self.distillations
        objectives = {
            "view": CrossViewDistillation(of_views, _TEACHER, tuple(views)),
            "patch": MaskedPatchDistillation(of_patches, _TEACHER, _MASKED),
        }
        weights = {"view": self.config.view_weight, "patch": self.config.patch_weight}
        loss, logs = add_up(objectives, weights, self, passes, batch)
        embeddings = embedding_of(passes(_TEACHER)).unflatten(0, pixel_values.shape[:2])[:, 0]
        return IBOTOutput(loss=loss if return_loss else None, logs=logs, embeddings=embeddings)
