"""Images and their nearest neighbours by the embedding."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from .drawing import GAP, GREEN, INK, RED, Images, picture_grid, save, show


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
