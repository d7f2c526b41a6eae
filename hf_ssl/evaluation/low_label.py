"""How far do a few labels go? A linear probe on a handful of labelled images per class."""

from dataclasses import dataclass

import torch

from .features import Features
from .labels import check_labels, rank_within_class
from .linear import linear_probe, standardization


@dataclass(frozen=True)
class LowLabelResult:
    """
    Args:
        mean (`float`): test accuracy in percent, mean over the draws.
        std (`float`): its standard deviation between draws (unbiased; 0 for a single draw).
        draws (`tuple[float, ...]`): the accuracy of each draw.
    """

    mean: float
    std: float
    draws: tuple[float, ...]


def low_label_probe(
    train: Features,
    test: Features,
    labels_per_class: int = 10,
    draws: int = 3,
    seed: int = 0,
    *,
    l2: float = 1.0,
    num_classes: int | None = None,
    device: torch.device | str | None = None,
) -> LowLabelResult:
    """
    Logistic regression on `labels_per_class` labelled images of each class, over several class-balanced draws.

    The L2 strength is fixed (1 is scikit-learn's default), because a handful of labels leaves none to choose it with.
    Features are standardised with all training images: that takes no labels, and ten images would do it badly.

    Args:
        train, test (`Features`): with labels.
        labels_per_class (`int`): at least 1.
        draws (`int`): at least 1; draw i uses seed `seed + i`.

    Raises:
        ValueError: for missing labels, or a class with fewer training images than asked for.
    """
    num_classes = check_labels(train, test, num_classes)
    if labels_per_class < 1 or draws < 1:
        raise ValueError(f"labels_per_class {labels_per_class} and draws {draws} must be at least 1.")
    labels = train.known_labels.cpu()
    counts = labels.bincount()
    poorest = int(counts.where(counts > 0, counts.max()).argmin())
    if counts[poorest] < labels_per_class:
        raise ValueError(
            f"Class {poorest} has {counts[poorest]} training images, fewer than labels_per_class = {labels_per_class}."
        )
    mean, std = standardization(train.embeddings.float())
    x, x_test = ((features.embeddings.float() - mean) / std for features in (train, test))
    accuracies = []
    for draw in range(draws):
        rank, _ = rank_within_class(labels, seed + draw)
        chosen = rank < labels_per_class
        result = linear_probe(
            Features(x[chosen.to(x.device)], labels[chosen]),
            Features(x_test, test.labels),
            num_classes=num_classes,
            l2=l2,
            standardize=False,
            device=device,
        )
        accuracies.append(result.accuracy)
    values = torch.tensor(accuracies, dtype=torch.float64)
    return LowLabelResult(values.mean().item(), values.std().item() if draws > 1 else 0.0, tuple(accuracies))
