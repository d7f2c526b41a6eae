"""Linear probe: multinomial logistic regression on frozen features, L2 strength chosen on a validation part."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .features import Features
from .labels import check_labels, stratified_split

# Above this many dimensions (raw pixels of large images) the eigenvectors would cost more than they save.
_MAX_ROTATED_DIM = 4096
VALIDATION_FRACTION = 0.2


@dataclass(frozen=True)
class LinearResult:
    """
    Args:
        accuracy (`float`): on the test set, in percent.
        l2 (`float`): the strength that was used, on the scale of `fit_logistic`.
        per_class (`tuple[float | None, ...]`): accuracy within each class in percent, None for classes that the test
            set does not have.
        validation_accuracy (`float`, *optional*): of the chosen strength, in percent, before the refit on all; None
            when the strength was given.
    """

    accuracy: float
    l2: float
    per_class: tuple[float | None, ...]
    validation_accuracy: float | None = None

    @property
    def mean_per_class(self) -> float:
        """The metric of Caltech-101, Pets, Flowers and Aircraft: mean of `per_class`, in percent."""
        present = [accuracy for accuracy in self.per_class if accuracy is not None]
        return sum(present) / len(present)


class LogisticRegression:
    """
    Logistic regression on one training set at many L2 strengths, each solved from the solution of the one before.

    L-BFGS converges slowly because features are correlated: the Hessian is about s X'X + l2, with s the mean of
    p (1 - p) over samples and classes. So it runs in the coordinates in which that matrix, at the weights it starts
    from, is the identity: the features are rotated once onto the eigenvectors of X'X and the weights scaled for each
    strength. This changes the path, not the optimum, because the penalty is the same after a rotation. With fewer
    samples than dimensions the optimum lies in the span of the samples, so the other directions are dropped, again
    exactly. Features are centred first, which the free biases absorb.

    Args:
        x (`torch.FloatTensor` of shape `(samples, dim)`): float32 or float64, on any device.
        y (`torch.LongTensor` of shape `(samples,)`): in `[0, num_classes)`, on the same device.
    """

    def __init__(self, x: torch.Tensor, y: torch.Tensor, num_classes: int):
        samples, dim = x.shape
        self.y, self.num_classes, self.basis, self.mean = y, num_classes, None, x.mean(0)
        x = x - self.mean
        if samples < dim:
            left, singular, right = torch.linalg.svd(x, full_matrices=False)
            self.basis, self.x, self.curvature = right.T, left * singular, singular.square()
        elif dim <= _MAX_ROTATED_DIM:
            eigenvalues, self.basis = torch.linalg.eigh(x.T @ x)
            self.x, self.curvature = x @ self.basis, eigenvalues.clamp_min(0)
        else:
            self.x, self.curvature = x, x.square().sum(0)
        # Keeps the scale finite in directions without data at a vanishing L2.
        self.floor = self.curvature.amax() * torch.finfo(x.dtype).eps
        self.weight = self.x.new_zeros(num_classes, self.x.shape[1])
        self.bias = self.x.new_zeros(num_classes)

    def _logits(self, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        # Classes come first in both products, this one and its gradient: with few classes up to 5 times as fast.
        return (weight @ self.x.T).T + bias

    def start_from(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        """Start at a solution in the coordinates of the features that were given, as `solution` returns it."""
        self.weight = (weight if self.basis is None else self.basis.T @ weight).T.contiguous()
        self.bias = bias + self.mean @ weight

    def fit(self, l2: float, max_iter: int = 200, tolerance: float = 1e-5) -> None:
        """Minimise the objective of `fit_logistic` from the present weights."""
        samples = len(self.y)
        with torch.no_grad():
            p = self._logits(self.weight, self.bias).softmax(1)
            sharpness = (p * (1 - p)).mean()
        scale = ((self.curvature + self.floor) * sharpness + l2).rsqrt() * samples**0.5  # [D]
        weight = (self.weight / scale).requires_grad_()
        bias = self.bias.clone().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [weight, bias],
            max_iter=max_iter,
            history_size=10,
            line_search_fn="strong_wolfe",
            tolerance_grad=tolerance,
            tolerance_change=1e-3 * tolerance**1.5,
        )

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            w = weight * scale
            # Divided by the number of samples, so that the tolerance means the same for every data set.
            loss = F.cross_entropy(self._logits(w, bias), self.y) + l2 / (2 * samples) * w.square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        self.weight, self.bias = (weight.detach() * scale), bias.detach()

    def solution(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights (dim, classes) in the coordinates of the features that were given, and biases (classes,)."""
        weight = self.weight.T if self.basis is None else self.basis @ self.weight.T
        return weight, self.bias - self.mean @ weight


def fit_logistic(
    x: torch.Tensor,
    y: torch.Tensor,
    num_classes: int,
    l2: float,
    max_iter: int = 200,
    tolerance: float = 1e-5,
    start: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Minimise `sum of cross-entropies + l2 / 2 * ||weight||^2` by L-BFGS; the biases are not penalised.

    On this scale `l2` is scikit-learn's `1 / C`: the penalty weighs against the sum over the samples, not the mean.

    Args:
        x (`torch.FloatTensor` of shape `(samples, dim)`): taken as it is, float32 or float64.
        y (`torch.LongTensor` of shape `(samples,)`): in `[0, num_classes)`.
        l2 (`float`): above 0, or the weights of separable classes would grow without end. Where they are separable and
            `l2` is tiny, the fit stops by `tolerance` at a nearly zero loss before it reaches the optimum.
        tolerance (`float`): on the largest entry of the gradient of the mean loss, in preconditioned coordinates.
        start (pair of `torch.Tensor`, *optional*): weights and biases to start from; zeros by default.

    Returns:
        Weights (dim, classes) and biases (classes,), in the dtype and on the device of `x`.

    Raises:
        ValueError: for labels or `l2` out of range, no samples, NaN or infinity.
    """
    _check(x, y, num_classes)
    if not l2 > 0:
        raise ValueError(f"l2 must be above 0, got {l2}.")
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(x.device.type, enabled=False):
        problem = LogisticRegression(x.detach().clone(), y.to(x.device, copy=True), num_classes)
        if start is not None:
            problem.start_from(*start)
        problem.fit(l2, max_iter, tolerance)
        return problem.solution()


def linear_probe(
    train: Features,
    test: Features,
    *,
    num_classes: int | None = None,
    l2: float | None = None,
    num_strengths: int = 45,
    coarse_step: int = 4,
    standardize: bool = True,
    validation_fraction: float = VALIDATION_FRACTION,
    max_iter: int = 200,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> LinearResult:
    """
    Linear evaluation of SimCLR (arXiv:2002.05709, appendix B.8) after Kornblith et al. (arXiv:1805.08974).

    Multinomial logistic regression by L-BFGS, 45 L2 strengths spaced evenly in the logarithm from 1e-6 to 1e5, chosen
    by accuracy on a held-out, class-balanced fifth of the training set (ties: lower validation loss), then refitted on
    all of it. No augmentation. The test set is used once, at the end.

    Two things differ from the papers. Features are standardised with the mean and deviation of the training set, so
    that the result does not depend on the scale an encoder happens to have. And the search is coarse to fine: every
    `coarse_step`-th strength, from the strongest on and each started at the solution before, until three in a row are
    worse than the best in accuracy and in loss, then those in between next to the best. `coarse_step=1` tries all.

    The solver is `torch.optim.LBFGS` in preconditioned coordinates (`LogisticRegression`), which was faster than both
    plain L-BFGS and scikit-learn's and runs on a GPU too.

    Args:
        train, test (`Features`): with labels.
        num_classes (`int`, *optional*): what the labels hold by default.
        l2 (`float`, *optional*): fixes the strength; then no validation part is held out.
        seed (`int`): draws the validation part.
        device (`torch.device` or `str`, *optional*): where to compute; that of the embeddings by default.

    Raises:
        ValueError: for missing labels, arguments out of range, or a training set too small to hold anything out.
    """
    num_classes = check_labels(train, test, num_classes)
    if num_strengths < 1 or coarse_step < 1 or not 0 < validation_fraction < 1:
        raise ValueError(
            f"num_strengths {num_strengths} and coarse_step {coarse_step} must be at least 1, validation_fraction "
            f"{validation_fraction} between 0 and 1."
        )
    with torch.inference_mode(False), torch.enable_grad():
        target = device or train.embeddings.device
        x, y = train.embeddings.detach().to(target, copy=True).float(), train.known_labels.to(target, copy=True)
        x_test, y_test = test.embeddings.detach().to(target).float(), test.known_labels.to(target)
        _check(x, y, num_classes)
        if not x_test.isfinite().all():
            raise ValueError(
                "The test features hold NaN or infinity: the encoder has diverged: lower its learning rate."
            )
        if standardize:
            mean, std = standardization(x)
            x, x_test = (x - mean) / std, (x_test - mean) / std
        validation_accuracy = start = None
        if l2 is None:
            held_out = stratified_split(y, validation_fraction, seed)
            if not held_out.any():
                raise ValueError(
                    f"{len(y)} training samples of {num_classes} classes are too few to hold out a validation part: "
                    "give l2, or use low_label_probe."
                )
            parts = (x[~held_out], y[~held_out], x[held_out], y[held_out])
            l2, validation_accuracy, start = _choose(*parts, num_classes, num_strengths, coarse_step, max_iter)
        weight, bias = fit_logistic(x, y, num_classes, l2, max_iter, start=start)
        correct = (x_test @ weight + bias).argmax(1) == y_test
    hits, counts = (labels.bincount(minlength=num_classes).tolist() for labels in (y_test[correct], y_test))
    per_class = tuple(100 * hit / count if count else None for hit, count in zip(hits, counts, strict=True))
    return LinearResult(100 * correct.double().mean().item(), l2, per_class, validation_accuracy)


def _choose(
    x, y, x_val, y_val, num_classes: int, num_strengths: int, coarse_step: int, max_iter: int
) -> tuple[float, float, tuple[torch.Tensor, torch.Tensor]]:
    """The best of the strengths, its validation accuracy in percent, and its weights and biases."""
    strengths = torch.logspace(5, -6, num_strengths, dtype=torch.float64).tolist()  # strongest first: easiest
    problem = LogisticRegression(x, y, num_classes)
    scores: dict[int, tuple[float, float]] = {}
    solutions: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def evaluate(i: int) -> None:
        problem.fit(strengths[i], max_iter)
        weight, bias = problem.solution()
        logits = x_val @ weight + bias
        accuracy = (logits.argmax(1) == y_val).double().mean().item()
        scores[i] = (accuracy, -F.cross_entropy(logits, y_val).item())
        solutions[i] = (weight, bias)

    worse = 0
    for i in range(0, num_strengths, coarse_step):
        evaluate(i)
        best = max(scores.values())
        # Weaker strengths take ever longer to solve. Once past the best by accuracy and by loss, they only overfit.
        worse = worse + 1 if scores[i][0] < best[0] and scores[i][1] < best[1] else 0
        if worse == 3 and coarse_step > 1:
            break
    centre = max(scores, key=scores.__getitem__)
    for neighbours in (range(centre - 1, centre - coarse_step, -1), range(centre + 1, centre + coarse_step)):
        problem.start_from(*solutions[centre])
        for i in neighbours:
            if 0 <= i < num_strengths and i not in scores:
                evaluate(i)
    best = max(scores, key=scores.__getitem__)
    return strengths[best], 100 * scores[best][0], solutions[best]


def standardization(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation (dim,) of features (samples, dim); the deviation of a constant feature is 1."""
    mean, std = x.mean(0), x.std(0, correction=0)
    # A constant feature has a rounding error for a deviation: dividing by that would make noise a feature.
    constant = std <= 1e-6 * x.abs().amax(0)
    return mean, std.where(~constant, 1.0)


def _check(x: torch.Tensor, y: torch.Tensor, num_classes: int) -> None:
    if x.ndim != 2 or len(x) == 0 or tuple(y.shape) != (len(x),):
        raise ValueError(f"Features must be (samples, dim) and labels (samples,), got {x.shape} and {y.shape}.")
    if y.min() < 0 or y.max() >= num_classes:
        raise ValueError(f"Labels run from {y.min()} to {y.max()}, outside [0, {num_classes}).")
    if not x.isfinite().all():
        raise ValueError(
            "The training features hold NaN or infinity: the encoder has diverged: lower its learning rate."
        )
