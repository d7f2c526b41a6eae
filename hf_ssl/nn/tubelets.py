"""Clips cut into blocks of a few frames and pixels each (tubelets), and what VideoMAE predicts of them."""

import torch


def cut_tubelets(clips: torch.Tensor, tubelet_size: int, patch_size: int) -> torch.Tensor:
    """
    Cut clips into tubelets in the order of `VideoMAEModel`'s tokens: time, then rows, then columns.

    Args:
        clips (`torch.Tensor` of shape `(batch, frames, channels, height, width)`)
        tubelet_size (`int`): frames of a tubelet.
        patch_size (`int`): its height and width in pixels.

    Returns:
        `torch.Tensor` of shape `(batch, tubelets, pixels, channels)`, pixels in the order time, row, column.
    """
    t, p = tubelet_size, patch_size
    x = clips.unflatten(4, (-1, p)).unflatten(3, (-1, p)).unflatten(1, (-1, t))  # [B, T/t, t, C, H/p, p, W/p, p]
    return x.permute(0, 1, 4, 6, 2, 5, 7, 3).flatten(4, 6).flatten(1, 3)


def join_tubelets(
    tubelets: torch.Tensor, tubelet_size: int, patch_size: int, shape: tuple[int, int, int]
) -> torch.Tensor:
    """The inverse of `cut_tubelets` for clips of `shape` (frames, height, width)."""
    frames, height, width = shape
    t, p = tubelet_size, patch_size
    x = tubelets.unflatten(2, (t, p, p)).unflatten(1, (frames // t, height // p, width // p))
    return x.permute(0, 1, 4, 7, 2, 5, 3, 6).flatten(6, 7).flatten(4, 5).flatten(1, 2)


def normalise_tubelets(tubelets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """
    The pixels of each tubelet in each channel, less their mean and divided by their (unbiased) standard deviation plus
    1e-6 (VideoMAE, arXiv:2203.12602, as in the official code: MAE takes all channels together and adds 1e-6 inside of
    the root).

    Args:
        tubelets (`torch.Tensor` of shape `(batch, tubelets, pixels, channels)`): in [0, 1].

    Returns:
        The result, and mean and scale of shape `(batch, tubelets, 1, channels)`.
    """
    variance, mean = torch.var_mean(tubelets, dim=2, keepdim=True)
    scale = variance.sqrt() + 1e-6
    return (tubelets - mean) / scale, mean, scale
