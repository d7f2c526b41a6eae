"""The collectives that losses over a global batch need. In a single process all are the identity."""

import torch
import torch.distributed as dist

_has_left = False


def leave_the_others() -> None:
    """
    From here on this process works by itself: it waits for no other, and none waits for it. The group stays: with
    gloo, to destroy it would wait for processes that have ended.
    """
    global _has_left
    _has_left = True


def is_distributed() -> bool:
    return not _has_left and dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def rank() -> int:
    return dist.get_rank() if is_distributed() else 0


def world_size() -> int:
    return dist.get_world_size() if is_distributed() else 1


class _GatherWithGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        parts = [torch.empty_like(x) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient.chunk(dist.get_world_size())[dist.get_rank()]


def gather(x: torch.Tensor) -> torch.Tensor:
    """
    Concatenate `x` of shape (B, ...) over all processes in rank order, with gradients, to (B * world, ...).

    The backward pass sums the gradients of all processes; since DDP then averages parameter gradients, a loss that is
    the mean over the local anchors has exactly the gradient of the single-process loss over the global batch.
    Every process must hold the same B.
    """
    return _GatherWithGradient.apply(x) if is_distributed() else x


class _SumWithGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        x = x.clone()
        dist.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.clone()
        dist.all_reduce(gradient)
        return gradient


def sum_over_ranks(x: torch.Tensor) -> torch.Tensor:
    """
    Sum of `x` over all processes, with gradients.

    As with `gather`, a loss that every process computes from such sums has, after DDP's average, exactly the gradient
    of the loss of a single process over the global batch.
    """
    return _SumWithGradient.apply(x) if is_distributed() else x


@torch.no_grad()
def mean_over_ranks(x: torch.Tensor) -> torch.Tensor:
    """Mean of `x` over all processes, without gradients."""
    return sum_over_ranks(x) / world_size()


@torch.no_grad()
def max_over_ranks(x: torch.Tensor) -> torch.Tensor:
    """Largest value of each element of `x` in any process, without gradients."""
    if is_distributed():
        x = x.clone()
        dist.all_reduce(x, dist.ReduceOp.MAX)
    return x


@torch.no_grad()
def from_first_rank(x: torch.Tensor) -> torch.Tensor:
    """What process 0 has for `x`, of the same shape and type everywhere."""
    if is_distributed():
        x = x.contiguous().clone()
        dist.broadcast(x, 0)
    return x
