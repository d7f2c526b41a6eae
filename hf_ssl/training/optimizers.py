"""Parameter groups without decay on gains and biases, and LARS."""

from collections.abc import Iterable

import torch
from torch import nn

_NEVER_DECAYED = ("cls_token", "mask_token", "register_tokens", "position_embeddings", "relative_position_bias_table")


def decays(name: str, parameter: nn.Parameter) -> bool:
    """Whether weight decay (and LARS's rate adaptation) applies: matrices and filters, but no tokens or positions."""
    return parameter.ndim > 1 and name.rsplit(".", 1)[-1] not in _NEVER_DECAYED


def mark_groups(optimizer: torch.optim.Optimizer, model: nn.Module, constant: tuple[str, ...]) -> None:
    """
    Note in each group of `optimizer`, under `decays`, whether its parameters of `model` are of the decayed kind and,
    under `constant_lr`, whether they belong to the children named in `constant`, which get groups of their own.
    """
    decaying = {id(p) for name, p in model.named_parameters() if decays(name, p)}
    steady = {id(p) for name, p in model.named_parameters() if name.split(".")[0] in constant}
    for group in list(optimizer.param_groups):
        group["decays"] = any(id(p) in decaying for p in group["params"])
        group["constant_lr"] = False
        apart = [p for p in group["params"] if id(p) in steady]
        if apart:
            group["params"] = [p for p in group["params"] if id(p) not in steady]
            optimizer.add_param_group({**group, "params": apart, "constant_lr": True})


def hold_constant_groups_(scheduler: torch.optim.lr_scheduler.LambdaLR) -> None:
    """Take the groups marked `constant_lr` out of a schedule."""
    for i, group in enumerate(scheduler.optimizer.param_groups):
        if group["constant_lr"]:
            scheduler.lr_lambdas[i] = _always_one
            group["lr"] = scheduler.base_lrs[i]


def _always_one(step: int) -> float:
    return 1.0


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
