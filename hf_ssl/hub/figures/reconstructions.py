"""What was hidden, and what the decoder painted there."""

from collections.abc import Sequence
from pathlib import Path

import torch

from .drawing import INK, denormalised, picture_grid, save, show


def save_reconstructions(
    path: str | Path,
    pixel_values: torch.Tensor,
    bool_masked_pos: torch.BoolTensor,
    reconstruction: torch.Tensor,
    patch_size: int,
    image_mean: Sequence[float],
    image_std: Sequence[float],
) -> Path:
    """
    Original, what the encoder saw, and the reconstruction with the visible patches put back (MAE, arXiv:2111.06377).

    Args:
        pixel_values (`torch.Tensor` of shape `(batch, C, H, W)`): normalised; at most 8 are drawn.
        bool_masked_pos (`torch.BoolTensor` of shape `(batch, patches)`): True = hidden from the encoder.
        reconstruction (`torch.Tensor` of shape `(batch, C, H, W)`): normalised.
        patch_size (`int`): in pixels.
        image_mean, image_std (`list[float]`): of the image processor, one for each channel.
    """
    batch, grid = min(8, len(pixel_values)), [side // patch_size for side in pixel_values.shape[-2:]]
    if bool_masked_pos.shape[-1] != grid[0] * grid[1]:
        raise ValueError(f"{bool_masked_pos.shape[-1]} mask positions for {grid[0]}x{grid[1]} patches.")
    original, painted = (denormalised(x[:batch], image_mean, image_std) for x in (pixel_values, reconstruction))
    hidden = bool_masked_pos[:batch].cpu().view(batch, 1, *grid)
    hidden = hidden.repeat_interleave(patch_size, -2).repeat_interleave(patch_size, -1)
    subtitle = f"{bool_masked_pos.float().mean():.0%} of the patches are hidden from the encoder"
    figure, cells = picture_grid("Reconstruction", subtitle, 3, [1.0] * batch, left=1.15)
    kinds = {"original": original, "visible": original.masked_fill(hidden, 0.82)}
    kinds["reconstruction"] = torch.where(hidden, painted, original)
    for row, (name, pictures) in zip(cells, kinds.items(), strict=True):
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8, fontsize=9, color=INK)
        for axes, picture in zip(row, pictures, strict=True):
            show(axes, picture)
    return save(figure, path)
