"""The last step of a view."""

from typing import NamedTuple

import torch


class Finish(NamedTuple):
    """
    Normalisation, and grey as RGB where the encoder wants it: called with views `(views, channels, size, size)`, which
    it may overwrite.

    Args:
        mean, std (`tuple[float, ...]`): for each channel of the result, or one for all; 0 and 1 change nothing.
        rgb (`bool`, *optional*, defaults to `False`): repeat the only channel where there is one.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    rgb: bool = False

    def channels_of(self, channels: int) -> int:
        """Of the result, for views with `channels`."""
        return 3 if self.rgb else max(channels, len(self.mean))

    def __call__(self, view: torch.Tensor) -> torch.Tensor:
        if (self.mean, self.std) != ((0.0,), (1.0,)):
            mean, std = torch.tensor([self.mean, self.std], device=view.device)[..., None, None]
            # Grey minus three means has three channels.
            view = view.sub_(mean) if view.shape[1] >= len(mean) else view - mean
            view.mul_(1 / std)  # faster than a division
        return view.expand(-1, self.channels_of(view.shape[1]), -1, -1)
