"""The model card: everything in it comes from the model, its evaluation and its run; what is unknown is left out."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import isfinite
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

import yaml
from huggingface_hub import EvalResult, ModelCardData
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

from ..evaluation.evaluate import ENCODER, EvaluationReport
from ..image_processing_utils import SSLImageProcessor
from ..modeling_utils import SSLPreTrainedModel, embed_dim
from ..registry import Method
from .export import PRETRAINING

NOTES, END_NOTES = "<!-- notes -->", "<!-- /notes -->"

# model_type -> what pooler_output is, what last_hidden_state is, and what turns pooler_output into (batch, dim).
_TOKENS = "all tokens after the final norm, shape (batch, tokens, dim): CLS first, patches last, row by row"
_MAP = "the last feature map, shape (batch, channels, rows, columns)"
_CLS = ("the CLS token after the final norm", _TOKENS, "")
_SPATIAL = ("the spatial mean of the last feature map", _MAP, ".flatten(1)")
_CONVNEXT = ("the final norm of the spatial mean of the last feature map", _MAP, "")
_SWIN = ("the mean of the last stage's tokens, after the final norm", "these tokens", "")
_CONTRACTS = {
    "vit": ("the CLS token after the final norm (the pooler is the identity)", _TOKENS, ""),
    **dict.fromkeys(("dinov2", "dinov2_with_registers", "dinov3_vit"), _CLS),
    **dict.fromkeys(("resnet", "regnet"), _SPATIAL),
    **dict.fromkeys(("convnext", "convnextv2"), _CONVNEXT),
    **dict.fromkeys(("swin", "swinv2"), _SWIN),
}
_MEAN = ("the final norm of the mean of the patch tokens", "all tokens before the final norm, CLS first", "")
_OTHER = ("the `pooler_output` that this architecture defines", "the features of the last layer", ".flatten(1)")

_CAPTIONS = {
    "curve": "Loss, and kNN accuracy of the encoder, over the training run",
    "neighbours": "Images and their nearest neighbours by cosine of the embedding",
    "features": "Patch features: their first three principal components as colours",
    "attention": "What CLS attends to in the last layer",
    "reconstructions": "What was hidden, and what the decoder painted there",
    "views": "Training views",
}

# Tasks of the Hub that transformers has no pipeline for.
_HUB_TASKS = set(
    "audio-text-to-text audio-to-audio graph-ml image-text-to-image image-text-to-video image-to-3d image-to-image "
    "image-to-text image-to-video multiple-choice other question-answering reinforcement-learning robotics "
    "sentence-similarity summarization tabular-classification tabular-regression table-to-text text-ranking "
    "text-retrieval text-to-3d text-to-image text-to-video time-series-forecasting translation video-text-to-text "
    "unconditional-image-generation video-to-video visual-document-retrieval visual-question-answering "
    "voice-activity-detection".split()
)


def build_card(
    method: Method,
    model: SSLPreTrainedModel,
    processor: SSLImageProcessor,
    *,
    results: Mapping[str, Any] | None,
    run: Mapping[str, Any] | None,
    figures: Sequence[str],
    repo_id: str | None = None,
    existing: str | None = None,
    license: str = "apache-2.0",
) -> str:
    """
    The text of `README.md` for a repository that `export_pretrained` writes.

    Args:
        method (`Method`): row of the registry.
        model (`SSLPreTrainedModel`): the `...ForPreTraining`.
        processor (`SSLImageProcessor`): its image processor.
        results (`dict`, *optional*): `EvaluationReport.to_dict()`, accuracies in percent; only `rows` is necessary, of
            `name`, `knn` and, where they exist, `linear` and `dim`. `dataset` goes before that of `run`.
        run (`dict`, *optional*): any of command, seed, steps, epochs, batch_size, seconds, images_per_second,
            hardware, versions, dataset, dataset_description, base_model, training_arguments, doctor.
        figures (`list[str]`): paths relative to the repository, such as "figures/curve.png".
        repo_id (`str`, *optional*): for the usage snippets.
        existing (`str`, *optional*): an earlier card; what stands between `<!-- notes -->` and `<!-- /notes -->` is
            taken over word for word.
        license (`str`, *optional*, defaults to `"apache-2.0"`): of the weights, as the Hub names it.

    Raises:
        ValueError: when the notes of `existing` have a beginning without an end, or the reverse.
    """
    results, run, backbone = results or {}, run or {}, model.config.backbone_config
    notes = _notes(existing)
    name = repo_id.split("/")[-1] if repo_id else f"{method.name}-{backbone.model_type}"
    dataset = results.get("dataset") or run.get("dataset")
    data = ModelCardData(
        license=license,
        library_name="transformers",
        pipeline_tag="image-feature-extraction",
        tags=["self-supervised-learning", "hf_ssl", method.name],
        datasets=[_hub_id(dataset)] if _hub_id(dataset) else None,
        base_model=_hub_id(run.get("base_model")),
        model_name=name,
        eval_results=_eval_results(results, dataset) or None,
    )
    mean, grey = model.config.pooling == "mean", backbone.to_dict().get("num_channels") == 1
    pooled, hidden, flatten = _MEAN if mean else _CONTRACTS.get(backbone.model_type, _OTHER)
    # The first line of a method's file is "Title (arXiv:NNNN.NNNNN): the idea."
    idea = sys.modules[method.pretraining_class.__module__].__doc__.strip().split("): ", 1)[-1]
    origin = f"Trained on **{dataset}**. {run.get('dataset_description') or ''}".strip() if dataset else ""
    if run.get("base_model"):
        origin += f"\n\nTraining started from the weights of `{run['base_model']}`."
    text = Template(Path(__file__).with_name("card_template.md").read_text(encoding="utf-8")).substitute(
        vars(method),
        front_matter=f"---\n{data.to_yaml().strip()}\n---",
        name=name,
        idea=idea.rstrip("."),
        native="BeitModel" if mean else type(model.backbone).__name__,
        parameters=f"{model.backbone.num_parameters() / 1e6:.2f}",
        side=processor.inference_size,
        colours="grey" if grey else "RGB",
        mode="L" if grey else "RGB",
        origin=origin,
        dim=embed_dim(backbone),
        pooled=pooled,
        hidden=hidden,
        flatten=flatten,
        repo=repo_id or "path/to/this/folder",
        pretraining=PRETRAINING,
        results=_results(results),
        pictures="\n\n".join(["## Pictures", *map(_figure, figures)] if figures else []),
        training=_training(run),
        limits=_limits(results, run, dataset),
    )
    text = re.sub(r"\n{3,}", "\n\n", text)  # where a section is empty
    return text.replace(f"{NOTES}\n{END_NOTES}", f"{NOTES}{notes}{END_NOTES}")


def validate_card(text: str) -> list[str]:
    """
    Problems of a card that can be found offline, one sentence each; an empty list when there are none.

    Checked: the front matter is YAML and a mapping; `license` is a string; `pipeline_tag` is a task of transformers or
    of the Hub; `library_name` is there; `model-index` survives reading and writing, with finite numbers.
    """
    problems = [] if text.count(NOTES) == text.count(END_NOTES) else [f"{NOTES} and {END_NOTES} do not pair up."]
    block = REGEX_YAML_BLOCK.search(text)
    if block is None:
        return [*problems, "There is no YAML front matter between two lines of ---."]
    try:
        data = yaml.safe_load(block.group(2))
    except yaml.YAMLError as error:
        return [*problems, f"The front matter is not YAML: {' '.join(str(error).split())}"]
    if not isinstance(data, dict):
        return [*problems, f"The front matter must be a mapping, not {type(data).__name__}."]
    for key in ("license", "library_name", "pipeline_tag"):
        if not isinstance(data.get(key), str):
            problems.append(f"{key} must be text, got {data.get(key)!r}.")
    from transformers.pipelines import PIPELINE_REGISTRY  # takes seconds to import

    tag = data.get("pipeline_tag")
    if isinstance(tag, str) and tag not in {*PIPELINE_REGISTRY.get_supported_tasks(), *_HUB_TASKS}:
        problems.append(f"pipeline_tag {tag!r} is no task of transformers or the Hub.")
    for key in ("tags", "datasets"):
        if key in data and not (isinstance(data[key], list) and all(isinstance(item, str) for item in data[key])):
            problems.append(f"{key} must be a list of texts, got {data[key]!r}.")
    return problems + (_model_index_problems(data["model-index"]) if "model-index" in data else [])


def _model_index_problems(index: Any) -> list[str]:
    try:
        name, results = model_index_to_eval_results(index)
        again = model_index_to_eval_results(eval_results_to_model_index(name, results))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return [f"model-index cannot be read: {type(error).__name__} {error}."]
    if again != (name, results):
        return ["model-index does not survive reading and writing."]
    values = [(result.metric_name or result.metric_type, result.metric_value) for result in results]
    return [f"model-index: {metric} is {value!r}, not a number." for metric, value in values if not _number(value)]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _hub_id(name: str | None) -> str | None:
    """`owner/name`, without a configuration behind a colon, where `name` is that and no folder here."""
    name = (name or "").split(":")[0]
    return name if re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name) and not Path(name).exists() else None


def _eval_results(results: Mapping[str, Any], dataset: str | None) -> list[EvalResult]:
    row = next((row for row in results.get("rows", ()) if row["name"] == ENCODER), {})
    protocol = results.get("protocol") or {}
    knn = {key: protocol[key] for key in ("k", "temperature") if key in protocol}
    linear = {"probe": protocol["linear"]} if protocol.get("linear") else {}
    metrics = {"knn": ("kNN accuracy, %", knn), "linear": ("linear probe accuracy, %", linear)}
    return [
        EvalResult(
            task_type="image-classification",
            task_name="Image classification with the frozen encoder",
            dataset_type=_hub_id(dataset) or dataset or "not stated",
            dataset_name=dataset or "not stated",
            dataset_split="test",
            metric_type="accuracy",
            metric_name=metric,
            metric_value=row[key],
            metric_args=args or None,
        )
        for key, (metric, args) in metrics.items()
        if _number(row.get(key))
    ]


def _results(results: Mapping[str, Any]) -> str:
    if not results.get("rows"):
        return ""
    chance = results.get("chance")
    rows = [*results["rows"], *([{"name": "chance", "knn": chance, "linear": chance}] if chance is not None else [])]
    table = [("", "kNN, %", "linear probe, %", "dimensions"), ("---", "---:", "---:", "---:")]
    for row in rows:
        accuracies = ["-" if row.get(key) is None else f"{row[key]:.1f}" for key in ("knn", "linear")]
        cells = [row["name"], *accuracies, str(row.get("dim") or "")]
        table.append(tuple(f"**{cell}**" if cell and row["name"] == ENCODER else cell for cell in cells))
    sizes = {"num_train": "training images", "num_test": "test images", "num_classes": "classes"}
    counts = ", ".join(f"{results[key]} {what}" for key, what in sizes.items() if results.get(key))
    protocol = (results.get("protocol") or {}).items()
    settings = "; ".join(f"{key} = {value}" for key, value in protocol if value is not None)
    parts = ["## Results", "Accuracy of classifiers on the frozen embedding" + (f": {counts}." if counts else ".")]
    parts.append("\n".join(f"| {' | '.join(row)} |" for row in table))
    parts += [f"Protocol: {settings}."] if settings else []
    known = {field.name: results[field.name] for field in fields(EvaluationReport) if field.name in results}
    if len(known) == len(fields(EvaluationReport)) and any(row["name"] == ENCODER for row in rows):
        parts.append(f"**Verdict:** {EvaluationReport.from_dict(known).verdict()}.")
    return "\n\n".join(parts)


def _figure(path: str) -> str:
    caption = _CAPTIONS.get(Path(path).stem, Path(path).stem)
    return f"![{caption}]({quote(path)})\n\n*{caption}*"


def _training(run: Mapping[str, Any]) -> str:
    parts, arguments = [], run.get("training_arguments") or {}
    if run.get("command"):
        parts.append(f"```bash\n{_without_secrets(run['command'])}\n```")
    facts = {
        "optimizer": "LARS" if arguments.get("lars") else arguments.get("optim"),
        "optimizer steps": run.get("steps"),
        "epochs": run.get("epochs"),
        "images a step": run.get("batch_size"),
        "seed": run.get("seed"),
        "wall time": None if run.get("seconds") is None else f"{run['seconds'] / 60:.1f} minutes",
        "images a second": run.get("images_per_second"),
        "hardware": run.get("hardware"),
        "versions": ", ".join(f"{name} {version}" for name, version in (run.get("versions") or {}).items()),
    }
    stated = {label: str(value) for label, value in facts.items() if value not in (None, "")}
    if stated:
        rows = [f"| {label} | {value} |" for label, value in stated.items()]
        parts.append("\n".join(["| | |", "| --- | --- |", *rows]))
    if arguments:
        listed = json.dumps(dict(arguments), indent=2, default=str)
        parts.append(f"Training arguments, where they are not the default:\n\n```json\n{listed}\n```")
    return "\n\n".join(["## Training", *parts]) if parts else ""


def _without_secrets(command: str) -> str:
    command = re.sub(r"(--[\w-]*(?:token|password|api_key)(?:=|\s+))\S+", r"\1***", command)
    return re.sub(r"\bhf_[A-Za-z0-9]{16,}", "***", command)


def _limits(results: Mapping[str, Any], run: Mapping[str, Any], dataset: str | None) -> str:
    lines = []
    if dataset:
        lines.append(f"This run saw {dataset} only: expect less on images of another kind, size or origin.")
    if results.get("rows"):
        lines.append(
            "The numbers are from one run, with frozen features, under the protocol above; they do not compare with "
            "numbers from other protocols. Fine-tuning, detection and segmentation were not measured."
        )
    else:
        lines.append("Nothing was measured: this card claims no quality.")
    lines.append("It has learnt whatever bias the images hold; nobody has looked for it.")
    lines += [f"Warning while training: {' '.join(finding.split())}" for finding in run.get("doctor") or ()]
    return "\n".join(f"- {line}" for line in lines)


def _notes(existing: str | None) -> str:
    """What stands between the marks of an earlier card, with its line breaks."""
    notes = re.findall(f"{NOTES}(.*?){END_NOTES}", existing or "", flags=re.DOTALL)
    if not (existing or "").count(NOTES) == (existing or "").count(END_NOTES) == len(notes):
        raise ValueError(f"The earlier card has {NOTES} without {END_NOTES}, or the reverse: pair them up first.")
    return "\n".join(notes) or "\n"
