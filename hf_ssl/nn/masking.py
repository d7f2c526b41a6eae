"""Patches, masks, and an encoder pass over the visible patches only."""

import torch
from torch import nn


def random_masking(
    batch: int, num_patches: int, ratio: float, generator: torch.Generator | None = None
) -> torch.Tensor:
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


def encode_tokens(
    vit: nn.Module, pixel_values: torch.Tensor, visible_patches: torch.Tensor | None = None, **kwargs
) -> torch.Tensor:
    """
    Run a native `ViTModel` up to, but without, its final norm; masked patches never enter the layers.

    The only place that reaches inside a native encoder.

    Args:
        pixel_values (`torch.Tensor` of shape `(batch, channels, height, width)`)
        visible_patches (`torch.LongTensor` of shape `(batch, visible)`, *optional*): see `visible_indices`; the others
            are left out.

    Returns:
        `torch.Tensor` of shape `(batch, 1 + visible, hidden)`: CLS, then the visible patches in image order.
    """
    resized = tuple(pixel_values.shape[-2:]) != tuple(vit.embeddings.image_size)
    tokens = vit.embeddings(pixel_values, interpolate_pos_encoding=resized)
    if visible_patches is not None:
        cls = torch.zeros_like(visible_patches[:, :1])
        keep = torch.cat([cls, visible_patches + 1], dim=1)[..., None].expand(-1, -1, tokens.shape[-1])
        tokens = tokens.gather(1, keep)
    for layer in vit.layers:
        tokens = layer(tokens, None, **kwargs)
    return tokens


def visible_indices(bool_masked_pos: torch.Tensor) -> torch.Tensor:
    """
    Indices of the unmasked patches in image order, shape (batch, visible). Every row must mask equally many, and how
    many has to be known: on an accelerator this waits for the device, and torch.compile cannot trace it.
    """
    visible = int((~bool_masked_pos[0]).sum())
    return bool_masked_pos.to(torch.uint8).argsort(dim=1, stable=True)[:, :visible]
