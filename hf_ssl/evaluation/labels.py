"""Labels: which images have one, can they be evaluated, and how are they split evenly over the classes?"""

from typing import cast

import torch
from torch.utils.data import Dataset, Subset

from ..data.base import ImageDataset, Samples
from .features import Features


def labels_of(dataset: Samples) -> torch.Tensor:
    """Class (samples,) of every image, -1 where it has none. A foreign data set is read once for it."""
    if isinstance(dataset, Subset):
        return labels_of(cast(Samples, dataset.dataset))[torch.tensor(list(dataset.indices), dtype=torch.long)]
    if isinstance(dataset, ImageDataset):
        return torch.full((len(dataset),), -1) if dataset.labels is None else dataset.labels
    labels = [dataset[i].get("label") for i in range(len(dataset))]
    return torch.tensor([-1 if label is None else int(label) for label in labels], dtype=torch.long)


def labelled_part(dataset: Samples, labels: torch.Tensor) -> Samples:
    """The images of a data set whose label is known. What cannot be read is still recorded by the whole data set."""
    known = (labels >= 0).nonzero().flatten().tolist()
    return dataset if len(known) == len(dataset) else Subset(cast(Dataset, dataset), known)


def evaluable(train: Samples, test: Samples, noun: str = "image") -> tuple[Samples, Samples, list[str]]:
    """
    What of two data sets can be evaluated: the images, or whatever `noun` says that they hold, with a label.

    Returns:
        `(Dataset, Dataset, list[str])`: the two, and sentences on what a reader of the result has to know about them.

    Raises:
        ValueError: where one is empty or has no labels, or the training images are of one class only.
    """
    labels, notes = [], []
    for name, dataset in (("training", train), ("test", test)):
        if len(dataset) == 0:
            raise ValueError(f"The {name} set is empty.")
        found = labels_of(dataset)
        missing = int((found < 0).sum())
        if missing == len(dataset):
            raise ValueError(f"The {name} set has no labels: kNN and linear probe need both sets labelled.")
        if missing:
            notes.append(f"{missing} of {len(dataset)} {name} {noun}s have no label and are left out.")
        labels.append(found)
    classes, tested = (set(found[found >= 0].tolist()) for found in labels)
    if len(classes) < 2:
        raise ValueError(
            f"All {int((labels[0] >= 0).sum())} labelled training {noun}s are of one class: kNN and linear probe need "
            "two or more."
        )
    unknown = sorted(tested - classes)
    if unknown:
        images = int(torch.isin(labels[1], torch.tensor(unknown)).sum())
        notes.append(
            f"{len(unknown)} of the {len(tested)} classes of the test {noun}s have no training {noun}: their {images} "
            f"test {noun}s count as wrong."
        )
    if len(tested) == 1:
        notes.append(f"All test {noun}s are of one class, so that chance is 100 %.")
    return labelled_part(train, labels[0]), labelled_part(test, labels[1]), notes


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
        if features.labels.min() < 0:
            raise ValueError(f"Some images of the {name} set have no label: take features.labelled().")
        if num_classes is not None and features.labels.max() >= num_classes:
            raise ValueError(f"The {name} set has labels outside [0, {num_classes}).")
    return num_classes or int(max(train.known_labels.max(), test.known_labels.max())) + 1
