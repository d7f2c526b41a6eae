"""What an evaluation found: a table, and one sentence that says whether the encoder has learnt anything."""

from dataclasses import asdict, dataclass, field
from typing import Any

RAW_PIXELS, RANDOM_INIT, BEFORE, ENCODER = "raw pixels", "random init", "before", "this encoder"
BEFORE_MEANS = "The row before is the encoder that training started from."

# Differences below this many standard errors are called noise.
_STANDARD_ERRORS = 2.0
# What training started from: in words, and what it means not to be better.
_STARTS = {
    BEFORE: ("before", "training has added nothing that shows here"),
    RANDOM_INIT: ("its random initialisation", "the encoder has learnt nothing that shows here"),
}
_OTHERS_AS_GOOD = {
    RAW_PIXELS: ", and on these data plain pixels do as well or better",
    RANDOM_INIT: ", and on these data an encoder without training does as well or better",
}


@dataclass
class EvaluationRow:
    """
    Args:
        name (`str`): "raw pixels", "random init", "before" (the encoder that training started from) or "this encoder".
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
        rows (`list[EvaluationRow]`): the encoder last, what it is compared with before it where that was run.
        num_train, num_test (`int`): images with a label, which are those that count.
        num_classes (`int`): of them.
        chance (`float`): accuracy in percent of always naming the largest class of the test set.
        effective_rank (`float`): of the test embeddings, see `effective_rank`; between 1 and the dimension.
        feature_std (`float`): of the test embeddings, see `feature_std`; 0 when collapsed, 1 when spread evenly.
        protocol (`dict`): every setting that the numbers depend on.
        notes (`list[str]`): sentences on what was particular: images left out for want of a label, fewer neighbours.
    """

    rows: list[EvaluationRow]
    num_train: int
    num_test: int
    num_classes: int
    chance: float
    effective_rank: float
    feature_std: float
    protocol: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def row(self, name: str = ENCODER) -> EvaluationRow | None:
        """The row of that name, or None."""
        return next((row for row in self.rows if row.name == name), None)

    @property
    def encoder_row(self) -> EvaluationRow:
        """The row of the encoder, which every report has."""
        row = self.row(ENCODER)
        if row is None:
            raise ValueError(f"The report has no row {ENCODER!r}.")
        return row

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
        sizes = f"{self.num_classes} classes, {self.num_train} to train on and {self.num_test} to test on."
        before = [BEFORE_MEANS] if self.row(BEFORE) else []
        return " ".join([sizes, f"{knn}.", *before, *self.notes])

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

    def _gains(self) -> dict[str, tuple[float, float]]:
        """By the name of each other row: points of kNN that the encoder is better by, and how many are noise."""
        ours = self.encoder_row.knn
        rows = [row for name in (BEFORE, RAW_PIXELS, RANDOM_INIT) if (row := self.row(name)) is not None]
        return {row.name: (ours - row.knn, self.noise(ours, row.knn)) for row in rows}

    @property
    def has_learnt(self) -> bool:
        """Whether the encoder is better, beyond noise, than what training started from; without that, than chance."""
        ours, gains = self.encoder_row.knn, self._gains()
        chance = (ours - self.chance, self.noise(ours, self.chance))
        gain, noise = next((gains[name] for name in _STARTS if name in gains), chance)
        return gain > noise

    def verdict(self) -> str:
        """One sentence in plain English: has the encoder learnt anything?"""
        ours, gains = self.encoder_row.knn, self._gains()
        start = next((name for name in _STARTS if name in gains), None)
        if start is None:
            if ours - self.chance <= self.noise(ours, self.chance):
                return f"no better than chance: {ours:.1f} % kNN, chance is {self.chance:.1f} %" + self._collapsed()
            return (
                f"better than chance by {ours - self.chance:.1f} points of kNN; without the baselines nothing says "
                "how much of that is learnt"
            )
        (gain, noise), (words, nothing) = gains[start], _STARTS[start]
        if gain < -noise:
            return (
                f"worse than {words} by {-gain:.1f} points of kNN: training has destroyed information"
                + self._collapsed()
            )
        if gain <= noise:
            return (
                f"no better than {words}: {gain:+.1f} points of kNN, where up to {noise:.1f} is noise; {nothing}"
                + self._collapsed()
            )
        beaten = [f"{name} by {gain:.1f}" for name, (gain, noise) in gains.items() if gain > noise]
        others = {name: found for name, found in gains.items() if found[0] <= found[1]}
        but = [f"{name} ({gain:+.1f}, noise up to {noise:.1f})" for name, (gain, noise) in others.items()]
        return (
            f"better than {_enumerated(beaten)} points of kNN{f', but not than {_enumerated(but)}' if but else ''}: "
            f"the encoder has learnt{_OTHERS_AS_GOOD[next(iter(others))] if others else ''}"
        )

    def _collapsed(self) -> str:
        if self.feature_std >= 0.05 or self.num_test == 1:  # one embedding has no spread
            return ""
        return f" (all embeddings point almost the same way, feature_std {self.feature_std:.3f}: look for collapse)"


def _enumerated(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
