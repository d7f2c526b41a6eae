"""One call that says whether an encoder has learnt anything, against the baselines it must beat."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel

from ..data import ImageStream
from ..data.base import Samples
from ..encoders import encoder_for
from ..modalities import get_modality
from .baselines import random_init_like
from .collapse import effective_rank, feature_std
from .features import Features, extract_all, frozen_embedder, input_batches
from .knn import knn_accuracy
from .labels import evaluable, stratified_split
from .linear import VALIDATION_FRACTION, linear_probe
from .report import BEFORE, ENCODER, RANDOM_INIT, RAW_PIXELS, EvaluationReport, EvaluationRow

DEFAULT_K = 20
# Raw pixels of larger images are averaged down to this side: 224-px images would be 150 528 dimensions.
RAW_PIXELS_SIDE = 32

# Training images times classes up to which a linear probe is run unasked: it looks at all pairs hundreds of times.
LARGEST_PROBE = {"cpu": 50_000_000, "accelerator": 5_000_000_000}


def evaluate_encoder(
    model: PreTrainedModel,
    processor: Any,
    train: Samples | ImageStream,
    test: Samples | ImageStream | None,
    *,
    before: PreTrainedModel | None = None,
    seed: int = 0,
    k: int | None = None,
    temperature: float = 0.07,
    linear: bool | None = None,
    baselines: bool = True,
    batch_size: int = 256,
    device: torch.device | str | None = None,
    progress: bool = False,
) -> EvaluationReport:
    """
    kNN and linear probe of frozen embeddings, next to raw pixels and the same architecture at random initialisation.

    Each data set is read and preprocessed once, batch by batch, for all rows; only embeddings are kept. Raw pixels of
    images above 32 px are averaged down to 32 px a side. Images without a label are left out, which the report says.

    Args:
        model (`PreTrainedModel`): see `extract_features`; left as it was.
        processor (callable): its image processor.
        train, test (`Dataset`): map-style, samples `{"image": uint8 tensor (C, H, W), "label": int}`; without a label,
            or with a negative one, where it is not known.
        before (`PreTrainedModel`, *optional*): the encoder that training started from, with its own embedding; it
            gets a row, and the verdict compares with it first. It sees the images as `model` does.
        seed (`int`): of the random initialisation and the validation split.
        k (`int`, *optional*): see `knn_predict`; by default 20, or all training images where there are fewer.
        temperature: see `knn_predict`.
        linear (`bool`, *optional*): whether to run the linear probe, the slower part. By default where it takes
            minutes and not hours: up to 50 million training images times classes, or 5 billion on a GPU. The report
            says when it was left out.
        baselines (`bool`): whether to run the other two rows; without them there is no telling what was learnt.
        device (`torch.device` or `str`, *optional*): where to run the encoders, and the probes too when it is a GPU of
            the cuda type (others lack the decompositions); that of the model by default.

    Raises:
        ValueError: before anything is embedded for data without labels or with one class to train on, `k` above the
            labelled training images or `temperature` out of range; and as in `extract_features`.
    """
    encoder = encoder_for(model.config)
    modality = get_modality(encoder.modality)
    noun = modality.noun
    if test is None or isinstance(train, ImageStream) or isinstance(test, ImageStream):
        raise ValueError("Evaluation needs training and test data that have a length: a stream is read only once.")
    train, test, notes = evaluable(train, test, noun)
    if k is None:
        k = min(DEFAULT_K, len(train))
        if k < DEFAULT_K:
            notes.append(
                f"There are {k} labelled training {noun}s, so that all are neighbours, instead of {DEFAULT_K}."
            )
    if not 1 <= k <= len(train):
        raise ValueError(f"k = {k} neighbours, but the training set has {len(train)} {noun}s: use 1 to {len(train)}.")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}.")
    target = torch.device(device) if device is not None else model.device
    with ExitStack() as stack:
        embedders: dict[str, Callable] = {}
        if baselines:
            sample = train[0].get("image")
            grey = sample is not None and sample.shape[0] == 1  # over three channels it is the same three times
            raw = modality.load("raw_baseline")
            embedders[RAW_PIXELS] = lambda inputs: raw(inputs[:, :1] if grey else inputs, RAW_PIXELS_SIDE)
            embedders[RANDOM_INIT] = stack.enter_context(frozen_embedder(random_init_like(model, seed), target))
        if before is not None:
            embedders[BEFORE] = stack.enter_context(frozen_embedder(before, target))
        embedders[ENCODER] = stack.enter_context(frozen_embedder(model, target))
        bank, queries = (
            extract_all(embedders, input_batches(processor, dataset, batch_size, encoder, progress))
            for dataset in (train, test)
        )
    classes, bank, queries = _numbered(bank, queries)
    ours = queries[ENCODER]
    k = min(k, len(bank[ENCODER]))  # an image that cannot be read may have been replaced by one without a label
    probe_device = target if target.type == "cuda" else torch.device("cpu")
    l2 = None if stratified_split(bank[ENCODER].labels, VALIDATION_FRACTION, seed).any() else 1.0
    strength = "45 L2 strengths on a held-out fifth" if l2 is None else f"L2 strength {l2:g}: too few to hold any out"
    if linear is None:
        linear = (
            len(bank[ENCODER]) * len(classes) <= LARGEST_PROBE["cpu" if probe_device.type == "cpu" else "accelerator"]
        )
        if not linear:
            notes.append(
                f"The linear probe of {len(bank[ENCODER])} {noun}s and {len(classes)} classes would take hours and "
                "was left out: --linear or linear=True asks for it."
            )
    probe = partial(linear_probe, num_classes=len(classes), l2=l2, seed=seed, device=probe_device) if linear else None
    knn = partial(_knn, num_classes=len(classes), k=k, temperature=temperature, device=probe_device)
    rows = [_row(name, bank[name], queries[name], knn, probe) for name in embedders]
    return EvaluationReport(
        rows=rows,
        num_train=len(bank[ENCODER]),
        num_test=len(ours),
        num_classes=len(classes),
        chance=100 * ours.labels.bincount().max().item() / len(ours),
        effective_rank=effective_rank(ours.embeddings),
        feature_std=feature_std(ours.embeddings),
        protocol={
            "k": k,
            "temperature": temperature,
            "linear": f"L-BFGS on standardised features, {strength}" if linear else None,
            "raw_pixels_max_side": RAW_PIXELS_SIDE if baselines else None,
            "seed": seed,
        },
        notes=notes,
    )


def _numbered(*parts: dict[str, Features]) -> tuple:
    """The classes that occur, and the features of the labelled images with their classes numbered from 0."""
    labelled = [{name: features.labelled() for name, features in part.items()} for part in parts]
    classes = torch.cat([part[ENCODER].known_labels for part in labelled]).unique()
    return classes, *(
        {name: Features(f.embeddings, torch.searchsorted(classes, f.known_labels)) for name, f in part.items()}
        for part in labelled
    )


def _row(name: str, train: Features, test: Features, knn: Callable, probe: Callable | None) -> EvaluationRow:
    linear = probe(train, test).accuracy if probe else None
    return EvaluationRow(name, train.embeddings.shape[1], knn(train, test), linear)


def _knn(train: Features, test: Features, num_classes: int, k: int, temperature: float, device: torch.device) -> float:
    bank, queries = train.embeddings.to(device), test.embeddings.to(device)
    return knn_accuracy(bank, train.known_labels, queries, test.known_labels, num_classes, k, temperature)
