"""What an objective reads: the tokens of one run of an encoder over some views of a batch."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch


class PassTokens(Protocol):
    """[`~encoders.Tokens`] of views (batch, views), one after the other."""

    prefix: torch.Tensor
    patches: torch.Tensor


class Pass(NamedTuple):
    """
    One run of an encoder. Made by `clean`, `replace` and `drop`.

    Args:
        views (`str`): entry of the batch with the images, of shape `(batch, views, channels, height, width)`.
        mask (`str`, *optional*): entry with a mask of shape `(batch, views, patches)`; where True, the mask token
            takes the place of the patch.
        keep (`str`, *optional*): entry with indices of shape `(batch, views, visible)`; other patches are left out.
        teacher (`bool`): by the teacher, without gradients.
    """

    views: str = "pixel_values"
    mask: str | None = None
    keep: str | None = None
    teacher: bool = False


def clean(views: str = "pixel_values", teacher: bool = False) -> Pass:
    """All patches as they are."""
    return Pass(views, teacher=teacher)


def replace(mask: str, views: str = "pixel_values") -> Pass:
    """Mask tokens in the place of some patches (BEiT, iBOT)."""
    return Pass(views, mask=mask)


def drop(keep: str, views: str = "pixel_values") -> Pass:
    """Some patches only (MAE)."""
    return Pass(views, keep=keep)


class Passes:
    """
    The passes of one step. Each runs when it is asked for first.

    Args:
        run (`Callable`): makes the tokens of a pass.
    """

    def __init__(self, run: Callable[[Pass], PassTokens]):
        self.run = run
        self.done: dict[str, PassTokens] = {}

    def __call__(self, which: Pass) -> PassTokens:
        key = "/".join(str(field) for field in which)  # torch.compile traces strings as keys
        if key not in self.done:
            self.done[key] = self.run(which)
        return self.done[key]


def embedding_of(tokens: PassTokens) -> torch.Tensor:
    """What stands for the whole view, of shape `(batch * views, width)`: CLS, or the mean patch without one."""
    return tokens.prefix[:, 0] if tokens.prefix.shape[1] else tokens.patches.mean(1)
