"""Overlapping patches at the places of a grid, a draw of its own for each sample."""

import torch

from .resize import uniform


@torch.no_grad()
def grid_patches(
    images: torch.Tensor,
    size: int,
    count: int,
    grid: int = 3,
    jitter: int = 0,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """
    Cut `count` different ones of the `grid` x `grid` patches that cover an image, each moved by up to `jitter` pixels
    (OBoW, arXiv:2012.11552, as in the official code).

    Args:
        images (`torch.Tensor` of shape `(batch, channels, side, side)`): on any device.
        size (`int`): side of the patches in pixels.
        count (`int`): at most `grid` squared.
        grid (`int`, *optional*, defaults to 3): patches along each side of the image.
        jitter (`int`, *optional*, defaults to 0): pixels down and to the right, drawn for each patch.
        generator (`torch.Generator`, *optional*): the only source of randomness, best on the CPU.

    Returns:
        `torch.Tensor` of shape `(batch, count, channels, size, size)`: in a random order.

    Raises:
        ValueError: when so many patches of that size do not fit.
    """
    batch, _, height, width = images.shape
    room = min(height, width) - size - jitter
    if not 0 < count <= grid**2 or size < 1 or jitter < 0 or room < 0:
        raise ValueError(
            f"{count} patches of {size} pixels, in a {grid}x{grid} grid and moved by up to {jitter}, do not fit an "
            f"image of {height}x{width}: take smaller ones, fewer, or a larger image."
        )
    down, right, order = uniform((batch, 3, grid**2), generator).unbind(1)
    place = order.argsort(dim=1)[:, :count]  # [B, count]
    offsets = [(n - size - jitter) // max(grid - 1, 1) for n in (height, width)]
    top, left = (
        index * offset + (draw.gather(1, place) * (jitter + 1)).long().clamp_max(jitter)
        for index, offset, draw in zip((place // grid, place % grid), offsets, (down, right), strict=True)
    )
    windows = images.unfold(2, size, 1).unfold(3, size, 1)  # [B, C, tops, lefts, size, size], a view
    sample = torch.arange(batch, device=images.device)[:, None]
    return windows[sample, :, top.to(images.device), left.to(images.device)]
