"""The training views beside their images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from .drawing import Images, denormalised, picture_grid, save, show


def save_views(
    path: str | Path,
    images: Images,
    views: Mapping[str, torch.Tensor],
    image_mean: Sequence[float],
    image_std: Sequence[float],
) -> Path:
    """
    The training views beside their images; smaller views are drawn smaller.

    Args:
        images: what the views were made of; at most 6 are drawn.
        views (`dict[str, torch.Tensor]`): name -> normalised views of shape `(batch, V, C, h, w)` or `(batch, C, h,
            w)`, as an image processor's `views` gives them; other entries, such as masks, must be taken out.
        image_mean, image_std (`list[float]`): of the image processor, one for each channel.
    """
    groups = {k: v[:, None] if v.ndim == 4 else v for k, v in views.items()}
    largest = max(v.shape[-1] for v in groups.values())
    columns, headings, breaks = [1.0], {0: "image"}, [0]
    for name, group in groups.items():
        headings[len(columns)] = name.replace("pixel_values", "views").replace("_", " ")
        columns += [max(group.shape[-1] / largest, 0.45)] * group.shape[1]
        breaks.append(len(columns) - 1)
    rows = min(6, len(images))
    figure, cells = picture_grid(
        "Training views", "what the method is given of each image", rows, columns, headings, breaks
    )
    shown = [denormalised(v[:rows], image_mean, image_std) for v in groups.values()]
    for i, row in enumerate(cells):
        for axes, picture in zip(row, [images[i], *(view for group in shown for view in group[i])], strict=True):
            show(axes, picture)
    return save(figure, path)
