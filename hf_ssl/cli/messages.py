"""What a run says before it starts, and when it has learnt little."""

import math
import re
import sys
from typing import Any

from ..data import Data
from ..encoders import encoder_for
from ..evaluation import EvaluationReport
from ..registry import Method
from ..training import describe
from .assemble import Assembly
from .options import shown_command


def announcement(method: Method, data: Data, run: Assembly, effective: dict[str, Any]) -> str:
    """
    In a few lines: what was found, what was chosen and why, how long it takes, and what to change for more.

    Args:
        effective (`dict`): see `SSLTrainer.effective`.
    """
    size, backbone = run.choices["image_size"], run.choices["backbone"]
    parameters = run.model.backbone.num_parameters() / 1e6
    noun, adapter = method.modality.noun, encoder_for(run.model.backbone.config)
    if method.modality.name == "audio":  # one size, whatever is asked for
        shown = f"{noun.capitalize()}s as {adapter.image_size[0]} frames of {adapter.image_size[1]} mel bands"
    else:
        shown = f"{noun.capitalize()}s at {size.value} pixels, {size.reason}"
    batch = f", {run.choices['batch'].reason}" if "batch" in run.choices else ""
    lines = [
        *data.summary(),
        f"{method.info.title}, recipe {run.recipe_name}: {run.recipe.description}."
        f"{_other_recipe(run.recipe_name, noun)}",
        f"{shown}. Encoder {backbone.value}, {backbone.reason}: {parameters:.2f} M parameters.",
        f"{effective['batch_size']} {noun}s a step{batch}; {describe(effective)}.",
        f"{_length(run, effective['epochs'])}.",
    ]
    if run.costs:
        lines.append("For more: --minutes N, or a larger --image-size or --backbone.")
    return "\n".join(lines)


def _other_recipe(name: str, noun: str) -> str:
    upright = f" {noun.capitalize()}s without an upright, such as tissue, want --recipe small."
    return upright if name == "photos" else ""


def duration(seconds: float) -> str:
    """Such as "40 s", "6 min" or "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _count(number: float) -> str:
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"


def _length(run: Assembly, epochs: float | None) -> str:
    if run.images is None:
        return f"{run.args.max_steps} steps over a stream"
    text = f"{run.steps} step{'s' * (run.steps != 1)}, {_count(epochs)} epoch{'s' * (epochs != 1)}"
    if run.costs:
        training = run.costs.training(run.steps, run.images_read_a_step, run.images)
        evaluation = run.evaluated_images * run.costs.evaluated_image
        text += f": about {duration(training + evaluation)} in all, as two steps took {2 * run.costs.step:.2g} s"
    if run.wanted_steps is not None and run.steps < run.wanted_steps:
        text += f"; in more time the recipe would take {run.wanted_steps} steps"
    return text


def why_little(run: Assembly, report: EvaluationReport) -> str | None:
    """A sentence and a command where few steps are the likely reason for a poor result."""
    if report.has_learnt or run.costs is None or run.wanted_steps is None or run.steps >= run.wanted_steps:
        return None
    seconds = run.costs.training(run.wanted_steps, run.images_read_a_step, run.images)
    minutes = math.ceil(seconds / 60 / 0.6)  # the rest is for evaluation and what is not foreseen
    length = r" --(overwrite|(minutes|max[-_]steps|num[-_]train[-_]epochs)(=| )\S+)"
    arguments = re.sub(length, "", shown_command(sys.argv[1:]))
    command = f"{arguments} --minutes {minutes}"
    return (
        f"Few steps are the likeliest reason: {run.steps} of the {run.wanted_steps} that the recipe takes. "
        f"To go on: {command}"
    )
