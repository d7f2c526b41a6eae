"""Fixed positions of patches."""

import torch


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


def sinusoid_positions(count: int, dim: int) -> torch.Tensor:
    """
    Fixed sine-cosine positions along one axis, sine and cosine in turn ("Attention is all you need",
    arXiv:1706.03762, section 3.5), which VideoMAE counts over all tokens of a clip.

    Returns:
        `torch.Tensor` of shape `(1, count, dim)`; `dim` must be even.
    """
    rate = 10000.0 ** -(torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    angle = torch.arange(count, dtype=torch.float64)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1).float()[None]
