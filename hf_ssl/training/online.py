"""What is measured while training goes on: of which images the loss, and a kNN classifier on the encoder of now."""

from collections.abc import Callable, Sequence

import torch
from torch.utils.data import Subset

from ..data import ImageDataset
from ..evaluation import extract_features, knn_accuracy, labelled_part
from ..modeling_utils import SSLPreTrainedModel
from ..nn.distributed import from_first_rank

_K = 20


def has_labels(dataset) -> bool:
    """Whether a data set is one of `hf_ssl.data`, and at least one of its images has a label."""
    return isinstance(dataset, ImageDataset) and dataset.labels is not None and bool((dataset.labels >= 0).any())


def require_labels(model: SSLPreTrainedModel, dataset) -> None:
    """
    Raises:
        ValueError: when `dataset` lacks labels, though only some where there is a stream without, or has labels that
            `model` has no output for.
    """
    if not has_labels(dataset):
        raise ValueError(f"{type(model).__name__} learns from labels, and these data have none.")
    missing = int((dataset.labels < 0).sum())
    if missing and not model.unlabelled_per_label:
        raise ValueError(
            f"{type(model).__name__} learns from labels, and {missing} of these {len(dataset)} {dataset.noun}s have "
            "none: leave them out, or choose a method that needs no labels."
        )
    if dataset.labels.max() >= model.config.num_labels:
        raise ValueError(
            f"A label is {dataset.labels.max().item()}, but {type(model.config).__name__}.num_labels is "
            f"{model.config.num_labels}."
        )


def require_best_metric(metric: str | None, train, test, online_knn: bool) -> None:
    """
    Raises:
        ValueError: when the best checkpoint is to be the one with the best kNN accuracy, and none will be measured.
    """
    if (metric or "").removeprefix("eval_") == "knn" and not (online_knn and has_labels(train) and has_labels(test)):
        raise ValueError(
            f"metric_for_best_model={metric!r} needs online_knn=True, and labels on training and evaluation data: "
            "choose 'loss'."
        )


def images_with_loss(model: SSLPreTrainedModel, dataset, batch_size: int) -> Sequence[int]:
    """
    The images of an evaluation set, by their index, that the loss can be computed of: for a supervised method those of
    a class that it has an output for. A loss that compares the images of a batch depends on how many there are, so
    that a smaller last batch is left out, and fewer images than it needs have none.

    Args:
        batch_size (`int`): images in a batch, of all processes together.
    """
    images: Sequence[int] = range(len(dataset))
    if "labels" in model.data_columns:
        labels = dataset.labels if has_labels(dataset) else torch.full((len(dataset),), -1)
        images = ((labels >= 0) & (labels < model.config.num_labels)).nonzero().flatten().tolist()
    if (least := model.smallest_eval_batch()) > 1:
        whole = len(images) - len(images) % batch_size
        images = images[: whole or len(images)] if len(images) >= least else images[:0]
    return images


def online_knn(
    encoder: SSLPreTrainedModel, processor: Callable, train: ImageDataset, test: ImageDataset, images: int, seed: int
) -> float:
    """
    kNN accuracy in percent (k 20, temperature 0.07) of an encoder, on the labelled images of `test`, over at most
    `images` labelled images of `train`. In all processes it is that of the encoder of the first one, which is saved:
    statistics of a BatchNorm may differ.
    """
    known = (train.labels >= 0).nonzero().flatten()
    chosen = known[torch.randperm(len(known), generator=torch.Generator().manual_seed(seed))[:images]]
    bank, queries = (
        extract_features(encoder, processor, dataset).labelled()
        for dataset in (Subset(train, chosen.tolist()), labelled_part(test, test.labels))
    )
    accuracy = knn_accuracy(bank.embeddings, bank.labels, queries.embeddings, queries.labels, k=min(_K, len(bank)))
    return from_first_rank(torch.tensor(accuracy, dtype=torch.float64, device=encoder.device)).item()
