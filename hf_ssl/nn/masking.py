"""Patches, their positions, and masks over them."""

import torch


def random_masking(
    batch: int, num_patches: int, ratio: float, generator: torch.Generator | None = None
) -> torch.BoolTensor:
    """
    Mask `int(num_patches * ratio)` patches of each sample, uniformly (MAE, arXiv:2111.06377, section 3).

    Returns:
        `torch.BoolTensor` of shape `(batch, num_patches)`: True = masked. Every row has the same number of them.
    """
    masked = num_patches - int(num_patches * (1 - ratio))
    order = torch.rand(batch, num_patches, generator=generator).argsort(dim=1)
    return order.argsort(dim=1) >= num_patches - masked


def patchify(pixel_values: torch.Tensor, patch_size: int) -> torch.Tensor:
    """
    Cut images (B, C, H, W) into patches (B, H/p * W/p, p * p * C), pixels first and channels last inside a patch, as
    the official MAE code orders them.
    """
    batch, channels, height, width = pixel_values.shape
    x = pixel_values.reshape(batch, channels, height // patch_size, patch_size, width // patch_size, patch_size)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(batch, -1, patch_size**2 * channels)


def unpatchify(patches: torch.Tensor, patch_size: int, height: int, width: int) -> torch.Tensor:
    """The inverse of `patchify`: (B, N, p * p * C) to (B, C, height, width)."""
    rows, columns = height // patch_size, width // patch_size
    x = patches.reshape(len(patches), rows, columns, patch_size, patch_size, -1)
    return x.permute(0, 5, 1, 3, 2, 4).reshape(len(patches), -1, height, width)


def sincos_positions(dim: int, rows: int, columns: int) -> torch.Tensor:
    """
    Fixed 2-D sine-cosine positions with a zero row for CLS first, as the official MAE code makes them.

    Returns:
        `torch.Tensor` of shape `(1, 1 + rows * columns, dim)`. `dim` must be divisible by 4.
    """
    if dim % 4:
        raise ValueError(f"Sine-cosine positions need a width divisible by 4, got {dim}.")
    omega = 10000.0 ** -(torch.arange(dim // 4, dtype=torch.float64) / (dim / 4))
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    angles = [axis.reshape(-1, 1).double() * omega for axis in (x, y)]  # the official code puts the column first
    table = torch.cat([f(angle) for angle in angles for f in (torch.sin, torch.cos)], dim=1).float()
    return torch.cat([torch.zeros(1, dim), table])[None]


def visible_indices(bool_masked_pos: torch.BoolTensor) -> torch.LongTensor:
    """
    Indices of the unmasked patches in image order, shape (batch, visible). Every row must mask equally many, and how
    many has to be known: on an accelerator this waits for the device, and torch.compile cannot trace it.
    """
    visible = int((~bool_masked_pos[0]).sum())
    return bool_masked_pos.to(torch.uint8).argsort(dim=1, stable=True)[:, :visible]
