"""What the figures are drawn with: colours, grids of pictures, and pixels."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

INK, GREY, FAINT = "#1f2430", "#7b8494", "#e3e6eb"
BLUE, ORANGE, GREEN, RED = "#2f6fde", "#e8871e", "#23995b", "#d43d3d"
Images = torch.Tensor | Sequence[torch.Tensor]
_DPI = 150
_CELL, GAP, _MARGIN = 1.05, 0.1, 0.15  # inches


def new_figure(width: float, height: float, **kwargs):
    try:
        from matplotlib.figure import Figure  # no pyplot: no global state, no display
    except ImportError as error:
        raise ImportError('Figures need matplotlib: pip install "hf_ssl[demo]".') from error
    return Figure(figsize=(width, height), dpi=_DPI, facecolor="white", **kwargs)


def save(figure, path: str | Path) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=_DPI)
    return Path(path)


def picture_grid(title, subtitle, rows, columns, headings=None, breaks=(), left=_MARGIN, row_gap=GAP):
    """A figure and its axes, row by row; `columns` are widths in cells, a wider gap follows those in `breaks`."""
    x, edges, top = left, [], 0.85 if headings else 0.65
    for i, share in enumerate(columns):
        edges.append(x)
        x += _CELL * share + GAP + (0.14 if i in breaks else 0.0)
    width, height = max(edges[-1] + _CELL * columns[-1] + _MARGIN, 4.2), top + rows * (_CELL + row_gap) + _MARGIN
    figure, cells = new_figure(width, height), [[] for _ in range(rows)]
    figure.text(_MARGIN / width, 1 - 0.3 / height, title, fontsize=13, fontweight="bold", color=INK)
    figure.text(_MARGIN / width, 1 - 0.5 / height, subtitle, fontsize=9, color=GREY)
    for column, heading in (headings or {}).items():
        figure.text(edges[column] / width, 1 - 0.77 / height, heading, fontsize=9, color=INK)
    for row, axes in enumerate(cells):
        middle = height - top - _CELL / 2 - row * (_CELL + row_gap)
        for edge, share in zip(edges, columns, strict=True):
            side = _CELL * share
            box = (edge / width, (middle - side / 2) / height, side / width, side / height)
            axes.append(figure.add_axes(box, xticks=[], yticks=[]))
            axes[-1].spines[:].set(color=FAINT, linewidth=0.6)
    return figure, cells


def style_panel(axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.set_xlabel("epoch", fontsize=9, color=GREY)
    axes.tick_params(labelsize=9, colors=GREY, length=0)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)


def show(axes, image: torch.Tensor) -> None:
    pixels = rgb(image).permute(1, 2, 0)
    # Small images show their pixels; large ones are smoothed down.
    axes.imshow(pixels.numpy(), interpolation="nearest" if max(pixels.shape) <= 128 else "antialiased")


def rgb(image: torch.Tensor) -> torch.Tensor:
    """Any image as float RGB in 0..1, of shape (3, H, W)."""
    image = image.detach().cpu()
    image = image.float() / 255 if image.dtype == torch.uint8 else image.float().nan_to_num().clamp(0, 1)
    return image.expand(3, -1, -1)


def denormalised(pixel_values: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    mean, std = (torch.tensor(v, dtype=torch.float32).view(-1, 1, 1) for v in (mean, std))
    return (pixel_values.detach().float().cpu() * std + mean).clamp(0, 1)


def heat_over(image: torch.Tensor, heat: torch.Tensor) -> torch.Tensor:
    """Colours of a map (rows, columns) in 0..1 over the dimmed grey image, (3, H, W) in 0..1."""
    from matplotlib import colormaps

    grey = rgb(image).mean(0)
    heat = nn.functional.interpolate(heat[None, None], grey.shape, mode="bilinear")[0, 0]
    colours = torch.from_numpy(colormaps["inferno"](heat.numpy())[..., :3]).float().permute(2, 0, 1)
    weight = 0.35 + 0.5 * heat
    return weight * colours + (1 - weight) * 0.75 * grey
