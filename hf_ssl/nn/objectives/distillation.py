"""Self-distillation of views and of masked patches: the two objectives of iBOT (arXiv:2111.07832)."""

from collections.abc import Mapping

import torch
from torch import nn

from ..self_distillation import SelfDistillation
from .passes import Pass, Passes, embedding_of


class CrossViewDistillation:
    """
    DINO's loss: from the embedding of every view of the student, the prototypes of every other view of the teacher.
    The model has the head of the teacher, `head`, and that of the student, `student.head`.

    Args:
        distillation (`SelfDistillation`): targets and loss.
        teacher (`Pass`): large views.
        students (`tuple[Pass, ...]`): the same views, and then others.
    """

    def __init__(self, distillation: SelfDistillation, teacher: Pass, students: tuple[Pass, ...]):
        self.distillation, self.teacher, self.students = distillation, teacher, students
        self.reads = (teacher, *students)

    def __call__(
        self, model: nn.Module, passes: Passes, batch: Mapping[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        with torch.no_grad():
            large = embedding_of(passes(self.teacher)).unflatten(0, batch[self.teacher.views].shape[:2])
            targets = self.distillation.targets(model, model.head(large))
        views = [embedding_of(passes(which)).unflatten(0, batch[which.views].shape[:2]) for which in self.students]
        logits = model.student.head(torch.cat(views, dim=1))  # [B, V, K]
        return self.distillation.cross_view_loss(targets, logits), self.distillation.statistics(targets)


class MaskedPatchDistillation:
    """
    iBOT's loss of the patches (equation 2): from every masked patch of the student, the prototypes that the teacher
    sees in the same patch. The model has the heads as in [`CrossViewDistillation`].

    Args:
        distillation (`SelfDistillation`): targets and loss.
        teacher (`Pass`): whole views.
        student (`Pass`): the same views with masked patches.
    """

    def __init__(self, distillation: SelfDistillation, teacher: Pass, student: Pass):
        self.distillation, self.teacher, self.student = distillation, teacher, student
        self.reads = (teacher, student)

    def __call__(
        self, model: nn.Module, passes: Passes, batch: Mapping[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        mask = batch[self.student.mask].flatten(0, 1)  # [B * V, N]
        with torch.no_grad():
            targets = self.distillation.targets(model, model.head(passes(self.teacher).patches))
        logits = model.student.head(passes(self.student).patches)  # [B * V, N, K]
        scalars = self.distillation.statistics(targets)
        scalars["uniform_loss"] = scalars["uniform_loss"] * mask.any(-1).float().mean()  # whole views count as zero
        return self.distillation.masked_loss(targets, logits, mask), scalars
