"""Where CLS looks."""

from pathlib import Path

import torch

from .drawing import Images, heat_over, picture_grid, save, show


def save_attention(
    path: str | Path, attentions: torch.Tensor, images: Images, grid: tuple[int, int], max_heads: int = 6
) -> Path:
    """
    Where CLS looks in the last layer, mean and heads, each map scaled to its own range (DINO, arXiv:2104.14294).

    Args:
        attentions (`torch.Tensor` of shape `(batch, heads, tokens, tokens)`): of the last layer; CLS comes first and
            the patches last, registers between them are skipped.
        images: what the encoder saw, not yet normalised; at most 8 are drawn.
        grid (`tuple[int, int]`): rows and columns of patches.
        max_heads (`int`, *optional*, defaults to 6): heads drawn; the mean is over all.
    """
    rows, columns = grid
    if attentions.shape[-1] < 1 + rows * columns:
        raise ValueError(f"A grid of {rows}x{columns} patches and CLS need more than {attentions.shape[-1]} tokens.")
    maps = attentions.detach().float().cpu()[:8, :, 0, -rows * columns :].unflatten(-1, grid)  # [B, heads, r, c]
    maps = torch.cat([maps.mean(1, keepdim=True), maps[:, :max_heads]], dim=1)
    low, high = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    maps = (maps - low) / (high - low).clamp_min(1e-12)
    headings = dict(enumerate(["image", "mean", *(f"head {i + 1}" for i in range(maps.shape[1] - 1))]))
    subtitle = "each map from its least (dark) to its most attended patch"
    figure, cells = picture_grid(
        "Attention of CLS, last layer", subtitle, len(maps), [1.0] * len(headings), headings, (0, 1)
    )
    for row, image, heads in zip(cells, images, maps, strict=False):
        show(row[0], image)
        for axes, heat in zip(row[1:], heads, strict=True):
            show(axes, heat_over(image, heat))
    return save(figure, path)
