"""The last step of a view."""

from typing import NamedTuple

import torch

from .color import grayscale_


class Finish(NamedTuple):
    """
    Normalisation, and the channels that the encoder takes: called with views `(views, channels, size, size)`, which it
    may overwrite.

    Args:
        mean, std (`tuple[float, ...]`): for each channel of the result, or one for all; 0 and 1 change nothing.
        rgb (`bool`, *optional*, defaults to `False`): repeat the only channel where there is one.
        gray (`bool`, *optional*, defaults to `False`): of three channels, keep the luminance alone.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    rgb: bool = False
    gray: bool = False

    def channels_of(self, channels: int) -> int:
        """Of the result, for views with `channels`."""
        return 1 if self.gray else 3 if self.rgb else max(channels, len(self.mean))

    def __call__(self, view: torch.Tensor) -> torch.Tensor:
        if self.gray and view.shape[1] == 3:
            view = grayscale_(view)[:, :1]
        if (self.mean, self.std) != ((0.0,), (1.0,)):
            mean, std = torch.tensor([self.mean, self.std], device=view.device)[..., None, None]
            # Grey minus three means has three channels.
            view = view.sub_(mean) if view.shape[1] >= len(mean) else view - mean
            view.mul_(1 / std)  # faster than a division
        return view.expand(-1, self.channels_of(view.shape[1]), -1, -1)
