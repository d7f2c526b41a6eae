"""Labels: are they there, and how are they split evenly over the classes?"""

import torch

from .features import Features


def stratified_split(labels: torch.Tensor, fraction: float, seed: int) -> torch.Tensor:
    """
    Hold out the same share of every class, at random; at least one sample of each class stays.

    Returns:
        `torch.BoolTensor` of shape `(samples,)`: True = held out, on the device of the labels.
    """
    rank, counts = rank_within_class(labels.cpu(), seed)
    quota = (counts * fraction).round().long().minimum(counts - 1)
    return (rank < quota[labels.cpu()]).to(labels.device)


def rank_within_class(labels: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A random rank (samples,) of each sample among those of its class, from 0, and the class sizes (classes,)."""
    shuffle = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    order = shuffle[labels[shuffle].argsort(stable=True)]  # shuffled, then grouped by class
    counts = labels.bincount()
    first = counts.cumsum(0) - counts
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(labels)) - first[labels[order]]
    return rank, counts


def check_labels(train: Features, test: Features, num_classes: int | None = None) -> int:
    """The number of classes; a `ValueError` where labels are missing or out of range."""
    for name, features in (("training", train), ("test", test)):
        if features.labels is None or len(features) == 0:
            raise ValueError(f"The {name} set has no labels: a probe needs both sets labelled.")
        if features.labels.min() < 0 or (num_classes is not None and features.labels.max() >= num_classes):
            raise ValueError(f"The {name} set has labels outside [0, {num_classes or 'classes'}).")
    return num_classes or int(max(train.labels.max(), test.labels.max())) + 1
