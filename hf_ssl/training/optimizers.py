"""The parameter groups of a model in an optimizer, their schedules and clipping; and LARS."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from transformers.optimization import get_scheduler

from ..nn.schedules import LEARNING_RATES


def regroup_(optimizer: torch.optim.Optimizer, groups: Sequence[dict[str, Any]]) -> None:
    """
    Give a new optimizer the groups of `SSLPreTrainedModel.parameter_groups`, with everything else that its own groups
    say; a parameter stays with those that share its old and its new group.

    Raises:
        ValueError: when a parameter of the optimizer is in none of `groups`, or in two.
    """
    group_of = {id(p): number for number, group in enumerate(groups) for p in group["params"]}
    old = list(optimizer.param_groups)
    named = sum(len(group["params"]) for group in groups)
    held = [id(p) for group in old for p in group["params"]]
    if len(group_of) != named or set(held) != set(group_of):
        raise ValueError(
            f"parameter_groups names {named} parameters, {len(group_of)} of them different, and {len(held)} are "
            "trained: name every parameter with requires_grad once."
        )
    optimizer.param_groups.clear()
    for number, group in enumerate(groups):
        for own in old:
            together = [p for p in own["params"] if group_of[id(p)] == number]
            if together:
                optimizer.add_param_group({**own, **group, "params": together, "lr": own["lr"] * group["lr_scale"]})


def schedule_groups_(scheduler: LambdaLR, warmup_steps: int, total_steps: int) -> None:
    """Let the groups that name a schedule of their own follow that, from their learning rate at its peak."""
    for i, group in enumerate(scheduler.optimizer.param_groups):
        if group["schedule"] is not None:
            scheduler.lr_lambdas[i] = _rate(group["schedule"], warmup_steps, total_steps)
            group["lr"] = scheduler.base_lrs[i] * scheduler.lr_lambdas[i](scheduler.last_epoch)


def _rate(schedule: str, warmup_steps: int, total_steps: int) -> Callable[[int], float]:
    """Step -> learning rate by its peak."""
    if schedule in LEARNING_RATES:
        return partial(LEARNING_RATES[schedule], warmup_steps=warmup_steps, total=total_steps)
    alone = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    return get_scheduler(schedule, alone, warmup_steps, total_steps).lr_lambdas[0]


class LARS(torch.optim.Optimizer):
    """
    Layer-wise adaptive rate scaling (arXiv:1708.03888), as SimCLR, BYOL and Barlow Twins use it: in groups with
    `decays`, the decayed gradient is scaled to `trust_coefficient` times the norm of the weights; the other groups,
    biases and norms, take plain SGD with momentum.

    Args:
        params: parameters or groups; a group without the key `decays` counts as one with it.
        lr (`float`)
        momentum (`float`, *optional*, defaults to 0.9)
        weight_decay (`float`, *optional*, defaults to 0)
        trust_coefficient (`float`, *optional*, defaults to 0.001)
    """

    def __init__(
        self,
        params: Iterable,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust_coefficient: float = 0.001,
    ):
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust_coefficient": trust_coefficient,
            "decays": True,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            updates = [p.grad for p in parameters]
            if group["decays"]:
                updates = torch._foreach_add(updates, parameters, alpha=group["weight_decay"])
                norms = zip(torch._foreach_norm(parameters), torch._foreach_norm(updates), strict=True)
                rates = [torch.where((w > 0) & (u > 0), group["trust_coefficient"] * w / u, 1.0) for w, u in norms]
                updates = torch._foreach_mul(updates, rates)
            for p in parameters:
                if not self.state[p]:
                    self.state[p]["momentum_buffer"] = torch.zeros_like(p)
            buffers = [self.state[p]["momentum_buffer"] for p in parameters]
            torch._foreach_mul_(buffers, group["momentum"])
            torch._foreach_add_(buffers, updates)
            torch._foreach_add_(parameters, buffers, alpha=-group["lr"])
        return loss


@torch.no_grad()
def clip_each_(parameters: Iterable[nn.Parameter], max_norm: float) -> torch.Tensor:
    """Clip every gradient to `max_norm` by itself, in place. Returns the norm of all gradients before, a scalar."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = torch._foreach_norm(gradients)
    torch._foreach_mul_(gradients, [(max_norm / (n + 1e-6)).clamp(max=1.0) for n in norms])
    return torch.stack(norms).norm()


def clip_apart(groups: Iterable[dict[str, Any]]) -> bool:
    """Whether any group of an optimizer names a norm of its own; those of a user's own optimizer do not."""
    return any(group.get("max_grad_norm") is not None for group in groups)


def clip_groups_(groups: Iterable[dict[str, Any]], clip_rest_: Callable[[list[nn.Parameter]], Any]) -> torch.Tensor:
    """
    Clip the gradients of the groups that name a norm of their own, in place; groups that are `clipped_with` each
    other have one norm.

    Args:
        groups (`list[dict]`): of an optimizer.
        clip_rest_ (`Callable`): clips the parameters of the other groups.

    Returns:
        `torch.Tensor`: scalar, the norm of all gradients before.
    """
    together: dict[int | None, list[nn.Parameter]] = {}
    norms: dict[int | None, float] = {}
    for group in groups:
        apart = group["max_grad_norm"] is not None
        number = group["clipped_with"] if apart else None
        norms[number] = group["max_grad_norm"]
        together.setdefault(number, []).extend(p for p in group["params"] if p.grad is not None)
    before = nn.utils.get_total_norm([p.grad for parameters in together.values() for p in parameters])
    for number, parameters in together.items():
        if number is None:
            clip_rest_(parameters)
        else:
            nn.utils.clip_grad_norm_(parameters, norms[number])
    return before
