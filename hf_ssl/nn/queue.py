"""A first-in first-out memory of embeddings in a buffer (MoCo, arXiv:1911.05722, section 3.2)."""

import torch
import torch.nn.functional as F
from torch import nn


class Queue(nn.Module):
    """
    The last `length` rows that were put in. It starts with random directions, from a generator of its own, so that it
    is the same in every process.

    Args:
        length (`int`)
        dim (`int`): width of the rows.
        empty (`bool`, *optional*, defaults to `False`): start with zeros, see `is_full`.
    """

    rows: torch.Tensor
    pointer: torch.Tensor

    def __init__(self, length: int, dim: int, empty: bool = False):
        super().__init__()
        rows = F.normalize(torch.randn(length, dim, generator=torch.Generator().manual_seed(0), device="cpu"), dim=-1)
        self.register_buffer("rows", torch.zeros_like(rows) if empty else rows)
        self.register_buffer("pointer", torch.zeros((), dtype=torch.long))

    def __len__(self) -> int:
        return len(self.rows)

    def is_full(self) -> bool:
        """Whether as many rows as it has were put in; always so where it did not start empty."""
        return bool(self.rows[-1].any())

    @torch.no_grad()
    def put_(self, rows: torch.Tensor) -> None:
        """
        Replace the oldest rows by `rows` (N, dim), in order, in place: a loss works on a clone of `self.rows`. Any N
        up to the length will do, so that short batches are fine.
        """
        if len(rows) > len(self):
            raise ValueError(f"A queue of {len(self)} rows cannot take {len(rows)} at once: make it longer.")
        at = (self.pointer + torch.arange(len(rows), device=rows.device)) % len(self)
        self.rows.index_copy_(0, at, rows.to(self.rows.dtype))
        self.pointer.add_(len(rows)).remainder_(len(self))


def require_queue_fits(length: int, num_samples: int, field: str) -> None:
    """
    Args:
        length (`int`): of a queue of keys.
        num_samples (`int`): training images.
        field (`str`): where the length is set, for the message.

    Raises:
        ValueError: when the queue is longer than there are images, so that an image would meet itself.
    """
    if length > num_samples:
        raise ValueError(
            f"A queue of {length} keys on {num_samples} images would hold other views of the same image: "
            f"set {field} to at most {num_samples}."
        )
