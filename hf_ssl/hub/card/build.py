"""The model card: everything in it comes from the model, its evaluation and its run; what is unknown is left out."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from huggingface_hub import ModelCardData
from huggingface_hub.utils import validate_repo_id

from ...encoders import encoder_for
from ...loading import PRETRAINING
from ...modalities import pipeline_tag_of
from ...modeling_utils import SSLPreTrainedModel
from ...pretraining_utils import Published
from ...processing_utils import SSLProcessorMixin
from ...registry import Method
from ..export import native_part, published_parts
from . import sections
from .fingerprint import embedding_check
from .text import hub_id, plain
from .usage import USAGES
from .validation import END_NOTES, NOTES, front_matter, split_notes, validate_card

__all__ = ["END_NOTES", "NOTES", "build_card", "validate_card"]


def build_card(
    method: Method,
    model: SSLPreTrainedModel,
    processor: SSLProcessorMixin,
    *,
    results: Mapping[str, Any] | None,
    run: Mapping[str, Any] | None,
    figures: Sequence[str],
    repo_id: str | None = None,
    existing: str | None = None,
    license: str = "apache-2.0",
    check: Mapping[str, Any] | None = None,
) -> str:
    """
    The text of `README.md` for a repository that `export_pretrained` writes.

    Args:
        method (`Method`): of the registry.
        model (`SSLPreTrainedModel`): the `...ForPreTraining`.
        processor (`SSLProcessorMixin`): its image processor.
        results (`dict`, *optional*): `EvaluationReport.to_dict()`, accuracies in percent; only `rows` is necessary, of
            `name`, `knn` and, where they exist, `linear` and `dim`. `dataset` goes before that of `run`.
        run (`dict`, *optional*): any of command, seed, steps, resumed_from, epochs, batch_size, seconds,
            images_per_second, hardware, versions, dataset, dataset_description, base_model, training_arguments, and
            doctor (what it found; None where it was off).
        figures (`list[str]`): paths relative to the repository, such as "figures/curve.png".
        repo_id (`str`, *optional*): for the usage snippets.
        existing (`str`, *optional*): an earlier card; what stands between `<!-- notes -->` and `<!-- /notes -->` is
            taken over word for word.
        license (`str`, *optional*, defaults to `"apache-2.0"`): of the weights, as the Hub names it. Where `existing`
            has the same, its `license_name` and `license_link` are kept.
        check (`dict`, *optional*): `embedding_check` of the repository; that of what `export_pretrained` would write,
            by default.

    Raises:
        ValueError: when the notes of `existing` have a beginning without an end, or the reverse; for a figure outside
            of the repository, or a `repo_id` that is none.
    """
    results, run, backbone = results or {}, run or {}, model.config.backbone_config
    if repo_id is not None:
        validate_repo_id(repo_id)
    check = check or embedding_check(model.native_encoder(), processor.native())
    notes = _notes(existing)
    name = repo_id.split("/")[-1] if repo_id else f"{method.name}-{backbone.model_type}"
    dataset = results.get("dataset") or run.get("dataset")
    tag = pipeline_tag_of(processor.sample_keys)
    supervision, tag_of_supervision = sections.supervision(model)
    parts = published_parts(model, processor)
    data = ModelCardData(
        license=license,
        library_name="transformers",
        pipeline_tag=tag,
        tags=[tag_of_supervision, "hf_ssl", method.name],
        datasets=[hub_id(dataset)] if hub_id(dataset) else None,
        base_model=hub_id(run.get("base_model")),
        model_name=name,
        eval_results=sections.eval_results(results, dataset, method.modality.name) or None,
        **_license_details(existing, license),
    )
    encoder = encoder_for(backbone)
    contract, grey = encoder.contract(model.config.pooling), encoder.num_channels == 1
    usage, noun = USAGES[encoder.modality](processor, encoder), method.modality.noun
    native, _ = encoder.export(model.backbone, model.config.pooling)
    origin = (
        f"Trained on **{plain(dataset)}**. {plain(run.get('dataset_description') or '')}".strip() if dataset else ""
    )
    if run.get("base_model"):
        origin += f"\n\nTraining started from the weights of {plain(run['base_model'])}."
    repository = repo_id or "path/to/this/folder"
    place = f'"{repository}"' + (f', subfolder="{model.embedding_folder}"' if model.embedding_folder else "")
    text = Template(Path(__file__).with_name("template.md").read_text(encoding="utf-8")).substitute(
        vars(method.info),
        supervision=supervision,
        stem=method.stem,
        packages=" and ".join(dict.fromkeys(("hf_ssl", method.package))),
        module=method.public_module,
        front_matter=f"---\n{data.to_yaml().strip()}\n---",
        name=name,
        native=encoder_for(native).native_class.__name__,
        parameters=f"{model.backbone.num_parameters() / 1e6:.2f}",
        article="An image" if noun == "image" else f"A {noun}",
        sample="an image" if noun == "image" else f"a {noun}",
        takes=usage.takes,
        imports=usage.imports,
        open_image=usage.opening,
        auto_processor=usage.processor,
        processor_suffix=method.modality.processor_suffix,
        call=usage.call,
        pipeline=sections.pipeline(repository, grey, "pooler_output" in contract.code, tag),
        classifier=sections.classifier(parts[""].model, method.modality, f'"{repository}"', usage.call),
        origin=origin,
        dim=encoder.width,
        pooled=contract.pooled,
        hidden=contract.hidden,
        embedding=contract.code,
        repo=repository,
        place=place,
        encoders=sections.encoders(_classes(parts), model.embedding_folder),
        check=sections.check(check, place, contract.code, noun),
        pretraining=PRETRAINING,
        results=sections.results_table(results, noun),
        collapse=sections.collapse(results, run, noun),
        pictures="\n\n".join(["## Pictures", *map(sections.figure, figures)] if figures else []),
        training=sections.training(run, noun),
        limits=sections.limits(results, dataset, noun),
    )
    text = re.sub(r"\n{3,}", "\n\n", text)  # where a section is empty
    return text.replace(f"{NOTES}\n{END_NOTES}", f"{NOTES}{notes}{END_NOTES}")


def _classes(parts: Mapping[str, Published]) -> dict[str, str]:
    """The native class in each folder, where there are several encoders."""
    if len(parts) < 2:
        return {}
    return {folder: type(native_part(part).model).__name__ for folder, part in parts.items()}


def _notes(existing: str | None) -> str:
    """What stands between the marks of an earlier card, with its line breaks."""
    around, notes = split_notes(existing or "")
    if (existing or "").count(END_NOTES) != len(notes) or any(END_NOTES in part for part in around):
        raise ValueError(f"The earlier card has {NOTES} without {END_NOTES}, or the reverse: pair them up first.")
    return "\n".join(notes) or "\n"


def _license_details(existing: str | None, license: str) -> dict[str, str]:
    """What an owner has written beside `license: other`."""
    try:
        data = front_matter(existing or "")
    except ValueError:
        return {}
    kept = {name: data[name] for name in ("license_name", "license_link") if name in data}
    return kept if data.get("license") == license else {}
