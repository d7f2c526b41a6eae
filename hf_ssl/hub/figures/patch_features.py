"""What the patches are to the encoder."""

from pathlib import Path

import torch

from .drawing import Images, picture_grid, save, show


def save_patch_features(path: str | Path, features: torch.Tensor, images: Images, grid: tuple[int, int]) -> Path:
    """
    What the patches are to the encoder: their first three principal components over all pictures, as red, green and
    blue (DINOv2, arXiv:2304.07193, section 7.6). Patches of one colour are alike.

    Args:
        features (`torch.Tensor` of shape `(batch, tokens, dim)`): the patches come last, tokens before are skipped.
        images: what the encoder saw, not yet normalised; at most 16 are drawn.
        grid (`tuple[int, int]`): rows and columns of patches.
    """
    rows, columns = grid
    if features.shape[1] < rows * columns or features.shape[2] < 3:
        raise ValueError(f"{tuple(features.shape)} are no features of {rows}x{columns} patches, three or more each.")
    x = features.detach().float().cpu()[:16, -rows * columns :]
    flat = x.flatten(0, 1) - x.mean((0, 1))
    components = flat @ torch.linalg.svd(flat, full_matrices=False).Vh[:3].T
    low, high = (components.quantile(q, dim=0) for q in (0.02, 0.98))
    colours = ((components - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
    maps = colours.view(len(x), rows, columns, 3).permute(0, 3, 1, 2)
    subtitle = "first three principal components as colours: patches of one colour are alike to the encoder"
    wide = min(8, len(x))
    blocks = -(-len(x) // wide)
    figure, cells = picture_grid("Patch features", subtitle, 2 * blocks, [1.0] * wide)
    for i, (image, colour) in enumerate(zip(images, maps, strict=False)):
        top, column = 2 * (i // wide), i % wide
        show(cells[top][column], image)
        show(cells[top + 1][column], colour)
    return save(figure, path)
