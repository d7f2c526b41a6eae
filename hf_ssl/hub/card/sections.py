"""The parts of a card that a run fills in; each is an empty text where nothing is known."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from huggingface_hub import EvalResult
from transformers import PreTrainedModel

from ...evaluation.report import BEFORE, BEFORE_MEANS, ENCODER, EvaluationReport
from ...modalities import Modality
from ...modeling_utils import SSLPreTrainedModel
from ...utils.redaction import redacted_command
from .fingerprint import check_code
from .text import fenced, hub_id, is_number, label, plain
from .validation import is_inside

# In this order, best first.
CAPTIONS = {
    "reconstructions": "What was hidden, and what the decoder painted there",
    "attention": "What CLS attends to in the last layer",
    "features": "Patch features: their first three principal components as colours",
    "neighbours": "Images and their nearest neighbours by cosine of the embedding",
    "curve": "Loss, and kNN accuracy of the encoder, over the training run",
    "views": "Training views: the augmentations, as the method is given them",
}


def eval_results(results: Mapping[str, Any], dataset: str | None, modality: str = "image") -> list[EvalResult]:
    """The `model-index`: kNN and linear probe, with the protocol."""
    row, protocol = _ours(results), results.get("protocol") or {}
    knn = {key: protocol[key] for key in ("k", "temperature") if key in protocol}
    linear = {"probe": protocol["linear"]} if protocol.get("linear") else {}
    metrics = {"knn": ("kNN accuracy, %", knn), "linear": ("linear probe accuracy, %", linear)}
    name = label(dataset or "not stated")
    return [
        EvalResult(
            task_type=f"{modality}-classification",
            task_name=f"{modality.capitalize()} classification with the frozen encoder",
            dataset_type=hub_id(dataset) or name,
            dataset_name=name,
            dataset_split="test",
            metric_type="accuracy",
            metric_name=metric,
            metric_value=row[key],
            metric_args=args or None,
        )
        for key, (metric, args) in metrics.items()
        if is_number(row.get(key))
    ]


# What follows the name of the model in a call of the pipeline.
_CALLS = {
    "image-feature-extraction": ', pool=True)(open_image("image.jpg"))',
    "zero-shot-image-classification": ')(open_image("image.jpg"), candidate_labels=["a dog", "a house"])',
}


def supervision(model: SSLPreTrainedModel) -> tuple[str, str]:
    """What a method learns from beside the samples themselves, and the tag that the Hub has for that."""
    if "labels" in model.data_columns:
        return (
            ("with few labels", "semi-supervised-learning")
            if model.unlabelled_per_label
            else ("with labels", "supervised-learning")
        )
    return "with captions" if "text" in model.input_modalities else "without labels", "self-supervised-learning"


def classifier(root: PreTrainedModel, modality: Modality, place: str, call: str) -> str:
    """How a classifier that the root holds beside the encoder is loaded; empty where it holds none."""
    auto = next((name for end, name in modality.auto_heads.items() if type(root).__name__.endswith(end)), None)
    if auto is None:
        return ""
    code = f"""from transformers import {auto}

classifier = {auto}.from_pretrained({place}).eval()
with torch.no_grad():
    logits = classifier(**processor({call}, return_tensors="pt")).logits
print(classifier.config.id2label[logits.argmax(-1).item()])"""
    return (
        f"Beside the encoder there is a classifier of its embedding, a `{type(root).__name__}` of "
        f"{root.config.num_labels} classes. `AutoModel` leaves it out, which transformers "
        "reports. After the lines above:\n\n" + fenced(code, "python")
    )


def encoders(parts: Mapping[str, str], own: str) -> str:
    """
    Where the encoder of the card lies, and what lies beside it, where there is more than one.

    Args:
        parts (`dict[str, str]`): subfolder -> class; "" is the root.
        own (`str`): the subfolder of the encoder that the card is about.
    """
    if len(parts) < 2:
        return ""
    places = {folder: f"in `{folder}/`" if folder else "at the root" for folder in parts}
    others = [f"a `{name}` {places[folder]}" for folder, name in parts.items() if folder != own]
    return f"It lies in `{own}/`; beside it are {' and '.join(others)}."


def check(found: Mapping[str, Any] | None, place: str, embedding: str, noun: str) -> str:
    """How a reader finds out whether this is the encoder that the card is about."""
    if found is None:
        return f"**The embedding of a test {noun} is not finite: this encoder is broken.**"
    return (
        f"To check that an encoder is this one, embed {'an' if noun == 'image' else 'a'} {noun} that a formula makes. "
        "Its first numbers, in float32 on a CPU, come back to 1e-6 of the largest, or to 1e-4 where a machine adds in "
        "another order:\n\n" + fenced(check_code(found, place, embedding), "python")
    )


def pipeline(repository: str, grey: bool, pooled: bool, tag: str) -> str:
    """The shorter way, where there is one: the pipeline knows no embedding but `pooler_output`."""
    if tag not in _CALLS or not pooled:
        return ""
    if grey:
        return "The pipelines of transformers make every image RGB, and so do not serve this encoder of grey images."
    call = f'pipeline("{tag}", model="{repository}"{_CALLS[tag]}'
    return f"or `{call}`. From a bare file name, transformers drops transparency and clips values of 16 bits."


def results_table(results: Mapping[str, Any], noun: str) -> str:
    if not results.get("rows"):
        return ""
    chance = results.get("chance")
    rows = [*results["rows"], *([{"name": "chance", "knn": chance, "linear": chance}] if chance is not None else [])]
    table = [("", "kNN, %", "linear probe, %", "dimensions"), ("---", "---:", "---:", "---:")]
    for row in rows:
        accuracies = [f"{row[key]:.1f}" if is_number(row.get(key)) else "-" for key in ("knn", "linear")]
        cells = [plain(row["name"]), *accuracies, plain(row.get("dim") or "")]
        table.append(tuple(f"**{cell}**" if cell and row["name"] == ENCODER else cell for cell in cells))
    sizes = {"num_train": f"training {noun}s", "num_test": f"test {noun}s", "num_classes": "classes"}
    counts = ", ".join(f"{plain(results[key])} {what}" for key, what in sizes.items() if results.get(key))
    protocol = (results.get("protocol") or {}).items()
    settings = "; ".join(f"{plain(key)} = {plain(value)}" for key, value in protocol if value is not None)
    parts = ["## Results", "Accuracy of classifiers on the frozen embedding" + (f": {counts}." if counts else ".")]
    parts.append("\n".join(f"| {' | '.join(row)} |" for row in table))
    parts += [f"Protocol: {settings}."] if settings else []
    meaning = [BEFORE_MEANS] if any(row["name"] == BEFORE for row in results["rows"]) else []
    remarks = " ".join([*meaning, *map(plain, results.get("notes") or ())])
    parts += [remarks] if remarks else []
    known = {field.name: results[field.name] for field in fields(EvaluationReport) if field.name in results}
    needed = {field.name for field in fields(EvaluationReport) if field.name not in ("protocol", "notes")}
    if needed <= known.keys() and _ours(results):
        parts.append(f"**Verdict:** {plain(EvaluationReport.from_dict(known).verdict())}.")
    return "\n\n".join(parts)


def collapse(results: Mapping[str, Any], run: Mapping[str, Any], noun: str) -> str:
    """Effective rank, spread, and what the doctor said, for readers who have never heard of them."""
    rank, spread, lines = results.get("effective_rank"), results.get("feature_std"), []
    if is_number(rank):
        width = _ours(results).get("dim")
        lines.append(
            f"**Effective rank {rank:.1f}**{f' of {width}' if is_number(width) else ''}: in so many independent "
            f"directions the embeddings of the test {noun}s differ. Near 1, all {noun}s get the same answer; the more "
            f"directions, the more different things {'an' if noun == 'image' else 'a'} {noun} can be said to show."
        )
    if is_number(spread):
        lines.append(
            f"**Spread {spread:.2f}** (`feature_std`): how far the embeddings, at length 1, lie apart. It is 0 when "
            "all point the same way, and 1 when they are spread evenly in all directions."
        )
    if "doctor" in run and run["doctor"] is None:
        lines.append("The doctor, which watches the training for collapse, was switched off.")
    elif "doctor" in run:
        findings = [f"**The doctor found:** {plain(finding)}" for finding in run["doctor"]]
        lines += findings or [
            "The doctor, which watches the training for collapse, a loss that is not finite and a teacher that stands "
            "still, found nothing."
        ]
    opening = f"A collapsed encoder gives every {noun} the same embedding, however low its loss."
    return "\n\n".join(["## Has it collapsed?", opening, "\n".join(f"- {line}" for line in lines)]) if lines else ""


def figure(path: str) -> str:
    """
    Raises:
        ValueError: for a path that leads out of the repository.
    """
    if not is_inside(path):
        raise ValueError(f"The figure {path!r} lies outside of the repository: give a path relative to its root.")
    stem = PurePosixPath(path).stem
    caption = CAPTIONS.get(stem, plain(stem))
    return f"![{caption}]({quote(path)})\n\n*{caption}*"


def training(run: Mapping[str, Any], noun: str) -> str:
    parts, arguments, effective = [], run.get("training_arguments") or {}, run.get("effective") or {}
    if run.get("command"):
        parts.append(fenced(redacted_command(str(run["command"])), "bash"))
    start = f", from step {run['resumed_from']} on, where it was picked up" if run.get("resumed_from") else ""
    facts = {
        "optimizer": effective.get("optimizer") or ("LARS" if arguments.get("lars") else arguments.get("optim")),
        "learning rate": effective.get("learning_rate"),
        "schedule": effective.get("lr_scheduler_type"),
        "steps of warm-up": effective.get("warmup_steps"),
        "weight decay": effective.get("weight_decay"),
        "optimizer steps": run.get("steps"),
        "epochs": run.get("epochs"),
        f"{noun}s a step": run.get("batch_size"),
        "seed": run.get("seed"),
        "wall time": None if run.get("seconds") is None else f"{run['seconds'] / 60:.1f} minutes{start}",
        f"{noun}s a second": run.get("images_per_second"),
        "hardware": run.get("hardware"),
        "versions": ", ".join(f"{name} {version}" for name, version in (run.get("versions") or {}).items()),
    }
    stated = {name: plain(value) for name, value in facts.items() if value not in (None, "")}
    if stated:
        rows = [f"| {name} | {value} |" for name, value in stated.items()]
        parts.append("\n".join(["| | |", "| --- | --- |", *rows]))
    if arguments:
        listed = json.dumps(dict(arguments), indent=2, default=str).replace("<", "\\u003c")
        parts.append(f"Training arguments, where they are not the default:\n\n{fenced(listed, 'json')}")
    return "\n\n".join(["## Training", *parts]) if parts else ""


def limits(results: Mapping[str, Any], dataset: str | None, noun: str) -> str:
    lines = []
    if dataset:
        other = "kind, size or origin" if noun == "image" else "kind, length or origin"
        lines.append(f"This run saw {plain(dataset)} only: expect less on {noun}s of another {other}.")
    if results.get("rows"):
        lines.append(
            "The numbers are from one run, with frozen features, under the protocol above; they do not compare with "
            "numbers from other protocols. Fine-tuning, detection and segmentation were not measured."
        )
    else:
        lines.append("Nothing was measured: this card claims no quality.")
    lines.append(f"It has learnt whatever bias the {noun}s hold; nobody has looked for it.")
    return "\n".join(f"- {line}" for line in lines)


def _ours(results: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((row for row in results.get("rows") or () if row["name"] == ENCODER), {})
