"""Shuffled BatchNorm (MoCo, arXiv:1911.05722, section 3.3)."""

from collections.abc import Callable

import torch
from torch import nn

from .distributed import from_first_rank, gather, is_distributed, rank, world_size


def has_batch_norm(module: nn.Module) -> bool:
    """Whether the samples of a batch see each other inside `module`."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules())


@torch.no_grad()
def encode_shuffled(encode: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, shuffle: bool) -> torch.Tensor:
    """
    Encode the samples of all processes, each process a random share of them, so that the statistics of a batch do not
    tell which key belongs to which query.

    Args:
        encode (callable): maps samples (N, ...) to keys (N, dim).
        x (`torch.Tensor` of shape `(batch, ...)`): the same batch size in every process.
        shuffle (`bool`): without BatchNorm there is nothing to hide, and each process encodes its own samples.

    Returns:
        `torch.Tensor` of shape `(world * batch, dim)`: keys of all samples in rank order, without gradients.
    """
    if not (shuffle and is_distributed()):
        return gather(encode(x))
    everything = gather(x)
    order = from_first_rank(torch.randperm(len(everything), device=x.device))
    keys = gather(encode(everything[order.chunk(world_size())[rank()]]))
    return keys[order.argsort()]


def own_share(everything: torch.Tensor) -> torch.Tensor:
    """The rows of this process of something gathered in rank order."""
    return everything.chunk(world_size())[rank()]
