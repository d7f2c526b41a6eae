"""One call that says whether an encoder has learnt anything, against the two baselines it must beat."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import PreTrainedModel

from .baselines import random_init_like, raw_pixels
from .collapse import effective_rank, feature_std
from .features import Features, extract_all, frozen_embedder, num_channels_of, pixel_batches
from .knn import knn_accuracy
from .labels import check_labels
from .linear import linear_probe

RAW_PIXELS, RANDOM_INIT, ENCODER = "raw pixels", "random init", "this encoder"

# Raw pixels of larger images are averaged down to this side: 224-px images would be 150 528 dimensions.
_RAW_PIXELS_SIDE = 32
# Differences below this many standard errors are called noise.
_STANDARD_ERRORS = 2.0


@dataclass
class EvaluationRow:
    """
    Args:
        name (`str`): "raw pixels", "random init" or "this encoder".
        dim (`int`): width of the embedding.
        knn (`float`): kNN accuracy in percent.
        linear (`float`, *optional*): linear probe accuracy in percent; None where it was not run.
    """

    name: str
    dim: int
    knn: float
    linear: float | None = None


@dataclass
class EvaluationReport:
    """
    What `evaluate_encoder` found. `to_dict` and `from_dict` go through JSON.

    Args:
        rows (`list[EvaluationRow]`): the encoder last, the baselines before it where they were run.
        num_train, num_test, num_classes (`int`): sizes of the data.
        chance (`float`): accuracy in percent of always naming the largest class of the test set.
        effective_rank (`float`): of the test embeddings, see `effective_rank`; between 1 and the dimension.
        feature_std (`float`): of the test embeddings, see `feature_std`; 0 when collapsed, 1 when spread evenly.
        protocol (`dict`): every setting that the numbers depend on.
    """

    rows: list[EvaluationRow]
    num_train: int
    num_test: int
    num_classes: int
    chance: float
    effective_rank: float
    feature_std: float
    protocol: dict[str, Any] = field(default_factory=dict)

    def row(self, name: str = ENCODER) -> EvaluationRow | None:
        """The row of that name, or None."""
        return next((row for row in self.rows if row.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types only."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "EvaluationReport":
        """The inverse of `to_dict`."""
        return cls(**{**data, "rows": [EvaluationRow(**row) for row in data["rows"]]})

    def _cells(self) -> list[list[str]]:
        probed = any(row.linear is not None for row in self.rows)
        cells = [["", "kNN %", *(["linear %"] if probed else []), "dim"]]
        for row in self.rows:
            linear = "-" if row.linear is None else f"{row.linear:.1f}"
            cells.append([row.name, f"{row.knn:.1f}", *([linear] if probed else []), str(row.dim)])
        cells.append(["chance", f"{self.chance:.1f}", *([f"{self.chance:.1f}"] if probed else []), ""])
        return cells

    def _caption(self) -> str:
        knn = f"kNN: cosine, k = {self.protocol['k']}, T = {self.protocol['temperature']}" if self.protocol else "kNN"
        return f"{self.num_classes} classes, {self.num_train} train and {self.num_test} test images. {knn}."

    def table(self) -> str:
        """Aligned plain text."""
        cells = self._cells()
        widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
        pad = [str.ljust, *[str.rjust] * (len(widths) - 1)]
        lines = ["  ".join(f(cell, w) for f, cell, w in zip(pad, row, widths, strict=True)).rstrip() for row in cells]
        return "\n".join([*lines, self._caption()])

    def to_markdown(self) -> str:
        """The same table for a model card."""
        head, *body = [f"| {' | '.join(row)} |" for row in self._cells()]
        rule = "|".join(["", " --- ", *[" ---: "] * (len(self._cells()[0]) - 1), ""])
        return "\n".join([head, rule, *body, "", self._caption()])

    def noise(self, a: float, b: float) -> float:
        """
        Differences between accuracies `a` and `b` (percent) below this many points are noise: two standard errors of
        two binomial shares of the test set. (Cautious: both were measured on the same images.)
        """
        shares = [min(max(p / 100, 0.0), 1.0) for p in (a, b)]
        # At 0 or 100 % the binomial error would vanish, as if one more image could not change anything.
        variances = [max(p * (1 - p), 1 / self.num_test) / self.num_test for p in shares]
        return 100 * _STANDARD_ERRORS * sum(variances) ** 0.5

    def verdict(self) -> str:
        """One sentence in plain English: has the encoder learnt anything?"""
        ours = self.row().knn
        raw, random = self.row(RAW_PIXELS), self.row(RANDOM_INIT)
        if raw is None or random is None:
            if ours - self.chance <= self.noise(ours, self.chance):
                return f"no better than chance: {ours:.1f} % kNN, chance is {self.chance:.1f} %" + self._collapsed()
            return (
                f"better than chance by {ours - self.chance:.1f} points of kNN; without the baselines nothing says "
                "how much of that is learnt"
            )
        over_raw, over_random = ours - raw.knn, ours - random.knn
        noise_raw, noise_random = self.noise(ours, raw.knn), self.noise(ours, random.knn)
        if over_random < -noise_random:
            return (
                f"worse than its random initialisation by {-over_random:.1f} points of kNN: training has destroyed "
                "information" + self._collapsed()
            )
        if over_random <= noise_random:
            return (
                f"no better than its random initialisation: {over_random:+.1f} points of kNN, where up to "
                f"{noise_random:.1f} is noise; the encoder has learnt nothing that shows here" + self._collapsed()
            )
        if over_raw <= noise_raw:
            return (
                f"better than random init by {over_random:.1f} points of kNN, but not than raw pixels "
                f"({over_raw:+.1f}, noise up to {noise_raw:.1f}): the encoder has learnt, and on these images plain "
                "pixels do as well or better"
            )
        return (
            f"better than raw pixels by {over_raw:.1f} and random init by {over_random:.1f} points of kNN: "
            "the encoder has learnt"
        )

    def _collapsed(self) -> str:
        if self.feature_std >= 0.05:
            return ""
        return f" (all embeddings point almost the same way, feature_std {self.feature_std:.3f}: look for collapse)"


def evaluate_encoder(
    model: PreTrainedModel,
    processor: Callable,
    train: Dataset,
    test: Dataset,
    *,
    seed: int = 0,
    k: int = 20,
    temperature: float = 0.07,
    linear: bool = True,
    baselines: bool = True,
    batch_size: int = 256,
    device: torch.device | str | None = None,
    progress: bool = False,
) -> EvaluationReport:
    """
    kNN and linear probe of frozen embeddings, next to raw pixels and the same architecture at random initialisation.

    Each data set is read and preprocessed once, batch by batch, for all three rows; only embeddings are kept. Raw
    pixels of images above 32 px are averaged down to 32 px a side.

    Args:
        model (`PreTrainedModel`): see `extract_features`; left as it was.
        processor (callable): its image processor.
        train, test (`Dataset`): map-style, samples `{"image": uint8 tensor (C, H, W), "label": int}`.
        seed (`int`): of the random initialisation and the validation split.
        k, temperature: see `knn_predict`.
        linear (`bool`): whether to run the linear probe, the slower part.
        baselines (`bool`): whether to run the other two rows; without them there is no telling what was learnt.
        device (`torch.device` or `str`, *optional*): where to run the encoders, and the probes too when it is a GPU of
            the cuda type (others lack the decompositions); that of the model by default.

    Raises:
        ValueError: for data without labels, `k` above the training set, and as in `extract_features`.
    """
    for name, dataset in (("training", train), ("test", test)):
        if len(dataset) == 0:
            raise ValueError(f"The {name} set is empty.")
        label = dataset[0].get("label")
        if label is None or label < 0:
            raise ValueError(f"The {name} set has no labels: kNN and linear probe need both sets labelled.")
    if not 1 <= k <= len(train):
        raise ValueError(f"k = {k} neighbours, but the training set has {len(train)} images.")
    target = torch.device(device) if device is not None else model.device
    with ExitStack() as stack:
        embedders: dict[str, Callable] = {}
        if baselines:
            grey = train[0]["image"].shape[0] == 1  # spread over three channels it would only be the same three times
            embedders[RAW_PIXELS] = lambda pixels: raw_pixels(pixels[:, :1] if grey else pixels, _RAW_PIXELS_SIDE)
            embedders[RANDOM_INIT] = stack.enter_context(frozen_embedder(random_init_like(model, seed), target))
        embedders[ENCODER] = stack.enter_context(frozen_embedder(model, target))
        train_features, test_features = (
            extract_all(embedders, pixel_batches(processor, dataset, batch_size, num_channels_of(model), progress))
            for dataset in (train, test)
        )
    probe_device = target if target.type == "cuda" else torch.device("cpu")
    num_classes = check_labels(train_features[ENCODER], test_features[ENCODER])
    rows = [
        _row(name, train_features[name], test_features[name], num_classes, k, temperature, linear, seed, probe_device)
        for name in embedders
    ]
    ours = test_features[ENCODER]
    return EvaluationReport(
        rows=rows,
        num_train=len(train),
        num_test=len(test),
        num_classes=num_classes,
        chance=100 * ours.labels.bincount().max().item() / len(ours),
        effective_rank=effective_rank(ours.embeddings),
        feature_std=feature_std(ours.embeddings),
        protocol={
            "k": k,
            "temperature": temperature,
            "linear": "L-BFGS on standardised features, 45 L2 strengths on a held-out fifth" if linear else None,
            "raw_pixels_max_side": _RAW_PIXELS_SIDE if baselines else None,
            "seed": seed,
        },
    )


def _row(name, train: Features, test: Features, num_classes, k, temperature, linear, seed, device) -> EvaluationRow:
    bank, queries = train.embeddings.to(device), test.embeddings.to(device)
    knn = knn_accuracy(bank, train.labels, queries, test.labels, num_classes, k, temperature)
    probe = linear_probe(train, test, num_classes=num_classes, seed=seed, device=device) if linear else None
    return EvaluationRow(name, train.embeddings.shape[1], knn, probe.accuracy if probe else None)
