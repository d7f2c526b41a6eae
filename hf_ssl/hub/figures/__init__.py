"""
Pictures of a run for its card. Each function writes a PNG to `path`, makes its folder, and returns it as a `Path`.

Images are `(channels, height, width)` with 1 or 3 channels, stacked in a tensor or in a list: uint8, or float in 0..1.
All functions raise an `ImportError` without matplotlib and a `ValueError` for input that does not fit together.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite, nan
from pathlib import Path

import torch
from torch import nn

from .drawing import (
    BLUE,
    GAP,
    GREEN,
    GREY,
    INK,
    ORANGE,
    RED,
    denormalised,
    heat_over,
    new_figure,
    picture_grid,
    save,
    show,
    style_panel,
)

Images = torch.Tensor | Sequence[torch.Tensor]


def save_curve(
    path: str | Path, log_history: Sequence[Mapping[str, float]], baselines: Mapping[str, float] | None = None
) -> Path:
    """
    The loss over the epochs and, where it was logged, the accuracy of the online kNN classifier with the baselines.

    Args:
        log_history (`list[dict]`): `trainer.state.log_history`; reads `epoch`, `loss`, `eval_loss`, `eval_knn`.
        baselines (`dict[str, float]`, *optional*): name -> kNN accuracy in percent, a horizontal line each.
    """
    train, test, knn = (_series(log_history, name) for name in ("loss", "eval_loss", "eval_knn"))
    if not train[0]:
        raise ValueError("log_history holds no finite loss: nothing to draw.")
    figure = new_figure(9.2 if knn[0] else 4.6, 3.2, layout="constrained")
    left, *right = figure.subplots(1, 2 if knn[0] else 1, squeeze=False)[0]
    style_panel(left, "Training loss")
    left.plot(*train, color=BLUE, linewidth=1.8, label="train")
    if test[0]:
        left.plot(*test, color=ORANGE, linewidth=1.2, marker="o", markersize=3.5, label="held out")
        left.legend(frameon=False, fontsize=9, labelcolor=INK)
    for axes in right:
        style_panel(axes, f"Online kNN accuracy: {knn[1][-1]:.1f} % in the end")
        axes.plot(*knn, color=BLUE, linewidth=1.8, marker="o", markersize=4)
        ranked = sorted((baselines or {}).items(), key=lambda item: -item[1])
        levels = [*knn[1], *(value for _, value in ranked)]
        room = 0.16 * max(max(levels) - min(levels), 1.0)
        axes.set(xlim=left.get_xlim(), ylim=(min(levels) - room, max(levels) + room))
        note = {"textcoords": "offset points", "ha": "right", "fontsize": 9}
        for i, (name, value) in enumerate(ranked):
            above = i == 0 or ranked[i - 1][1] - value > room  # else the label would cover the line above
            place = {"xycoords": ("axes fraction", "data"), "va": "bottom" if above else "top"}
            color = (ORANGE, GREY, GREEN, RED)[i % 4]
            axes.axhline(value, color=color, linewidth=1.2, linestyle=(0, (5, 3)), zorder=1.8)
            axes.annotate(f"{name} {value:.1f}", (1, value), (-3, 3 if above else -3), color=color, **place, **note)
    return save(figure, path)


def save_neighbours(
    path: str | Path,
    embeddings: torch.Tensor,
    images: Images,
    labels: torch.Tensor | None = None,
    label_names: Sequence[str] | None = None,
    queries: int = 8,
    neighbours: int = 8,
    seed: int = 0,
) -> Path:
    """
    Random images, each with the images whose embeddings have the largest cosine to its own.

    Args:
        embeddings (`torch.Tensor` of shape `(N, D)`)
        images: N images.
        labels (`torch.LongTensor` of shape `(N,)`, *optional*): a green frame says same class, a red one another; the
            queries are then spread over the classes. A class below 0 is unknown and gets no frame.
        label_names (`list[str]`, *optional*): names the query and every wrong neighbour.
        queries, neighbours (`int`, *optional*, default to 8): rows, and images in each; fewer where N is too small.
        seed (`int`, *optional*, defaults to 0): of the choice of queries.
    """
    count = len(embeddings)
    if count < 2 or len(images) != count or (labels is not None and len(labels) != count):
        raise ValueError(f"Neighbours need two images or more and one embedding each, got {len(images)} and {count}.")
    if not embeddings.isfinite().all():
        raise ValueError("The embeddings hold NaN or infinity: there are no nearest neighbours.")
    classes = None if labels is None else list(map(int, labels))
    chosen = _spread(count, classes, min(queries, count), seed)
    unit = nn.functional.normalize(embeddings.detach().float().cpu(), dim=1)
    cosine = unit[chosen] @ unit.T  # [queries, N]
    cosine[torch.arange(len(chosen)), chosen] = -torch.inf
    nearest = cosine.topk(min(neighbours, count - 1), dim=1).indices.tolist()
    named = classes is not None and label_names is not None
    subtitle = "by cosine of the embeddings" + ("" if classes is None else "; green: the query's class, red: another")
    layout = {"headings": {0: "query", 1: "nearest first"}, "breaks": (0,), "row_gap": 0.26 if named else GAP}
    columns = [1.0] * (1 + len(nearest[0]))
    figure, cells = picture_grid("Nearest neighbours", subtitle, len(chosen), columns, **layout)
    for row, query, others in zip(cells, chosen, nearest, strict=True):
        for axes, index in zip(row, [query, *others], strict=True):
            show(axes, images[index])
            known = classes is not None and min(classes[index], classes[query]) >= 0
            right = known and classes[index] == classes[query]
            if known and index != query:
                axes.spines[:].set(color=GREEN if right else RED, linewidth=2.6)
            if named and known and (index == query or not right):
                name = str(label_names[classes[index]])
                axes.set_xlabel(
                    name[:18], fontsize=7, color=INK if index == query else RED, labelpad=3, parse_math=False
                )
    return save(figure, path)


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


def _series(log_history: Sequence[Mapping[str, float]], name: str) -> tuple[list[float], list[float]]:
    points = [(e.get("epoch", i), e[name]) for i, e in enumerate(log_history) if isfinite(e.get(name, nan))]
    return [x for x, _ in points], [y for _, y in points]


def _spread(count: int, classes: list[int] | None, queries: int, seed: int) -> list[int]:
    """Random indices; with classes, one of each class before the second of any, in the order of the classes."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    if classes is None:
        return order[:queries]
    seen, turn = Counter(), {}
    for index in order:
        turn[index] = seen[classes[index]]
        seen[classes[index]] += 1
    return sorted(sorted(order, key=turn.get)[:queries], key=lambda index: classes[index])
