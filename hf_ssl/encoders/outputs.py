"""What an encoder gives beside embeddings, and what it promises."""

from dataclasses import dataclass
from typing import NamedTuple

import torch


@dataclass(frozen=True)
class Tokens:
    """
    What an encoder makes of its input, before it is pooled.

    Args:
        prefix (`torch.Tensor` of shape `(batch, prefix, width)`): CLS, then further tokens of no place, such as
            registers; empty where the architecture has none.
        patches (`torch.Tensor` of shape `(batch, patches, width)`): row by row; with `keep`, those that were kept, in
            the order of `keep`.
        grid (`tuple[int, ...]`): rows and columns of all patches.
        levels (`tuple[torch.Tensor]`): a feature map of shape `(batch, channels, rows, columns)` for each level asked.
    """

    prefix: torch.Tensor
    patches: torch.Tensor
    grid: tuple[int, ...]
    levels: tuple[torch.Tensor, ...] = ()


class Wanted(NamedTuple):
    """What `Encoder.tokens` is asked for; the fields are its arguments."""

    keep: torch.LongTensor | None
    mask: torch.BoolTensor | None
    levels: tuple[int, ...]
    final_norm: bool


@dataclass(frozen=True)
class Contract:
    """
    What a published encoder promises, in the words of its card.

    Args:
        pooled (`str`): what the embedding is.
        hidden (`str`): what `last_hidden_state` is, with its shape and order.
        code (`str`): Python that turns `outputs` of the native model into the embedding, of shape `(batch, width)`.
    """

    pooled: str
    hidden: str
    code: str
