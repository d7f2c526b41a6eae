"""What a run says before it starts, and when it has learnt little."""

import math
import re
import shlex
import sys
from typing import Any

from ..data import Data
from ..evaluation import EvaluationReport
from ..registry import Method
from ..training import describe
from .assemble import Assembly


def announcement(method: Method, data: Data, run: Assembly, effective: dict[str, Any]) -> str:
    """
    In a few lines: what was found, what was chosen and why, how long it takes, and what to change for more.

    Args:
        effective (`dict`): see `SSLTrainer.effective`.
    """
    lines = [f"{method.title} on {data.name}", *(f"  {line}" for line in data.summary())]
    size, backbone = run.choices["image_size"], run.choices["backbone"]
    parameters = run.model.backbone.num_parameters() / 1e6
    lines.append(f"  recipe {run.recipe_name}: {run.recipe.description}")
    lines.append(f"  images at {size.value} pixels, {size.reason}")
    lines.append(f"  encoder {backbone.value}, {backbone.reason}: {parameters:.2f} M parameters")
    more = f", {run.choices['batch'].reason}" if "batch" in run.choices else ""
    lines.append(f"  {effective['batch_size']} images a step{more}; {describe(effective)}")
    lines.append(f"  {_length(run)}")
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Such as "40 s", "6 min" or "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _length(run: Assembly) -> str:
    if run.images is None:
        return f"{run.args.max_steps} steps over a stream"
    parts = [f"{run.steps} steps, {run.steps * run.images_a_step / run.images:.3g} epochs"]
    if run.costs:
        seconds = run.costs.training(run.steps, run.images_a_step, run.images)
        parts.append(f"about {duration(seconds)} of training, as two steps took {2 * run.costs.step:.2g} s")
    if run.wanted_steps is not None and run.steps < run.wanted_steps:
        parts.append(f"the recipe would take {run.wanted_steps} steps: for more, --minutes N or --num_train_epochs N")
    return "; ".join(parts)


def why_little(run: Assembly, report: EvaluationReport) -> str | None:
    """A sentence and a command where few steps are the likely reason for a poor result."""
    if report.has_learnt or run.costs is None or run.wanted_steps is None or run.steps >= run.wanted_steps:
        return None
    seconds = run.costs.training(run.wanted_steps, run.images_a_step, run.images)
    minutes = math.ceil(seconds / 60 / 0.6)  # the rest is for evaluation and what is not foreseen
    arguments = re.sub(r" --(minutes(=| )\S+|overwrite)", "", shlex.join(["hf-ssl", *sys.argv[1:]]))
    command = f"{arguments} --minutes {minutes}"
    return (
        f"Few steps are the likeliest reason: {run.steps} of the {run.wanted_steps} that the recipe takes. "
        f"To go on: {command}"
    )
