"""Parameter groups without decay on gains and biases, and LARS."""

from collections.abc import Iterable

import torch
from torch import nn

_NEVER_DECAYED = ("cls_token", "mask_token", "register_tokens", "position_embeddings", "relative_position_bias_table")


def decays(name: str, parameter: nn.Parameter) -> bool:
    """Whether weight decay (and LARS's rate adaptation) applies: matrices and filters, but no tokens or positions."""
    return parameter.ndim > 1 and name.rsplit(".", 1)[-1] not in _NEVER_DECAYED


def mark_decay(optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
    """Note in each group of `optimizer`, under `decays`, whether its parameters of `model` are of the decayed kind."""
    decaying = {id(p) for name, p in model.named_parameters() if decays(name, p)}
    for group in optimizer.param_groups:
        group["decays"] = any(id(p) in decaying for p in group["params"])


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
                self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
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
