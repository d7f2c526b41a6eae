"""Schedules as pure functions of the step, so that a resumed run needs no schedule state."""

import math


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
