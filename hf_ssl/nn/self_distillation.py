"""Targets and loss of a student that predicts the prototypes of its teacher (DINO, arXiv:2104.14294; iBOT, DINOv2)."""

import math

import torch
from torch import nn

from .assignment import sinkhorn
from .distributed import mean_over_ranks
from .losses import cross_view_entropy, masked_cross_entropy
from .schedules import warmup


class SelfDistillation:
    """
    One objective of self-distillation. The teacher's logits become targets by a softmax with a low temperature, after
    their running mean, the centre, is taken off (DINO, section 3.1), or by Sinkhorn-Knopp (DINOv2, arXiv:2304.07193,
    section 4), so that the prototypes are all used.

    The centre moves once an optimizer step, by the mean over all batches of the step and all processes. It is a buffer
    of the model, which every method here takes, and saved under its `name` there.

    Args:
        model (`nn.Module`): gets the buffers: the centre, and what is summed up since the last optimizer step.
        name (`str`): of the centre.
        num_prototypes (`int`): outputs K of the heads.
        student_temperature (`float`)
        teacher_temperature (`float`): after its warm-up.
        warmup_teacher_temperature (`float`): at the start.
        warmup_teacher_share (`float`): share of the run over which the teacher's temperature rises.
        center_momentum (`float`): of the running mean.
        sinkhorn_iterations (`int`, *optional*, defaults to 0): above 0, Sinkhorn-Knopp in place of the centre, over
            the logits of all processes.
    """

    def __init__(
        self,
        model: nn.Module,
        name: str,
        num_prototypes: int,
        student_temperature: float,
        teacher_temperature: float,
        warmup_teacher_temperature: float,
        warmup_teacher_share: float,
        center_momentum: float,
        sinkhorn_iterations: int = 0,
    ):
        self.name, self.num_prototypes = name, num_prototypes
        self.student_temperature, self.center_momentum = student_temperature, center_momentum
        self.teacher_temperatures = (warmup_teacher_temperature, teacher_temperature)
        self.warmup_teacher_share = warmup_teacher_share
        self.sinkhorn_iterations = sinkhorn_iterations
        self.temperature = warmup_teacher_temperature  # of the teacher, now
        if not sinkhorn_iterations:
            model.register_buffer(name, torch.zeros(num_prototypes))
            # Mean logits of the teacher since the last optimizer step, summed over so many batches.
            model.register_buffer(f"{name}_sum", torch.zeros(num_prototypes), persistent=False)
            model.register_buffer(f"{name}_batches", torch.zeros(()), persistent=False)

    def _buffers(self, model: nn.Module) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Centre, sum of the mean logits, and number of batches in the sum."""
        buffers = [model.get_buffer(self.name + end) for end in ("", "_sum", "_batches")]
        return buffers[0], buffers[1], buffers[2]

    def forget_batches(self, model: nn.Module) -> None:
        """Drop what was summed up: batches outside of a step, such as one that is timed, do not move the centre."""
        if not self.sinkhorn_iterations:
            _, total, batches = self._buffers(model)
            total.zero_()
            batches.zero_()

    @torch.no_grad()
    def targets(self, model: nn.Module, logits: torch.Tensor) -> torch.Tensor:
        """
        Map logits (..., K) of the teacher to probabilities of the same shape, in float32. In training, their mean is
        kept for the next centre.
        """
        logits = logits.float()
        if self.sinkhorn_iterations:
            return sinkhorn(logits.flatten(0, -2), self.temperature, self.sinkhorn_iterations).view_as(logits)
        center, total, batches = self._buffers(model)
        targets = ((logits - center) / self.temperature).softmax(-1)
        if model.training:
            total.add_(mean_over_ranks(logits.mean(tuple(range(logits.ndim - 1)))))
            batches.add_(1)
        return targets

    def cross_view_loss(self, targets: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """[`~nn.losses.cross_view_entropy`] of targets (B, teacher views, K) and student logits (B, views, K)."""
        return cross_view_entropy(targets, self._log_probabilities(logits))

    def masked_loss(self, targets: torch.Tensor, logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """[`~nn.losses.masked_cross_entropy`] of targets and logits (..., N, K), both at the places of `mask`."""
        return masked_cross_entropy(targets, self._log_probabilities(logits), mask)

    def _log_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        return (logits.float() / self.student_temperature).log_softmax(-1)

    def statistics(self, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        """Mean entropy of targets (..., K), entropy of their mean, and the loss that a uniform teacher gives; nats."""
        mean = targets.mean(tuple(range(targets.ndim - 1)))
        return {
            "teacher_entropy": torch.special.entr(targets).sum(-1).mean(),
            "mean_teacher_entropy": torch.special.entr(mean).sum(),
            "uniform_loss": torch.tensor(math.log(self.num_prototypes), device=targets.device),
        }

    def on_step_begin(self, model: nn.Module, step: int, total_steps: int) -> None:
        """Set the temperature of the teacher."""
        self.forget_batches(model)
        steps = round(self.warmup_teacher_share * total_steps)
        self.temperature = warmup(step, steps, *self.teacher_temperatures)

    @torch.no_grad()
    def after_optimizer_step(self, model: nn.Module) -> None:
        """Move the centre."""
        if self.sinkhorn_iterations:
            return
        center, total, batches = self._buffers(model)
        share = (1 - self.center_momentum) * (batches > 0)  # a tensor: nobody waits for the device
        center.lerp_(total / batches.clamp_min(1), share.to(center.dtype))
        self.forget_batches(model)
