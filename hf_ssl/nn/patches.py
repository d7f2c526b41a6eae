"""Images as rows of patches, and back."""

import torch


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


def normalise_patches(patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """
    The values of each patch less their mean and divided by their deviation (MAE, arXiv:2111.06377, table 1d: unbiased
    variance, plus 1e-6 inside of the root).

    Args:
        patches (`torch.Tensor` of shape `(batch, patches, values)`)

    Returns:
        The result, and mean and scale of shape `(batch, patches, 1)`.
    """
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    scale = (variance + 1e-6).sqrt()
    return (patches - mean) / scale, mean, scale
