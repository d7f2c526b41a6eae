"""Schedules as pure functions of the step, so that a resumed run needs no schedule state."""

import math
from collections.abc import Callable


def cosine(step: int, total: int, start: float, end: float) -> float:
    """Half a cosine from `start` at step 0 to `end` at step `total`; constant afterwards."""
    if total <= 0:
        return end
    return end + 0.5 * (start - end) * (1.0 + math.cos(math.pi * min(step / total, 1.0)))


def warmup(step: int, warmup_steps: int, start: float, end: float) -> float:
    """A straight line from `start` at step 0 to `end` at step `warmup_steps`; constant afterwards."""
    if step >= warmup_steps:
        return end
    return start + (end - start) * step / warmup_steps


def shallow_cosine(step: int, warmup_steps: int, total: int) -> float:
    """
    A learning rate by its peak: linear warm-up, then cos(7 pi k / 16 K) over the other K steps, which ends at a fifth
    (FixMatch, arXiv:2001.07685, section 2.4).
    """
    if step < warmup_steps:
        return step / max(1, warmup_steps)
    progress = (step - warmup_steps) / max(1, total - warmup_steps)
    return math.cos(7 / 16 * math.pi * min(progress, 1.0))


# Learning rates that transformers has no name for: (step, warm-up steps, all steps) -> multiple of the peak.
LEARNING_RATES: dict[str, Callable[[int, int, int], float]] = {"shallow_cosine": shallow_cosine}
