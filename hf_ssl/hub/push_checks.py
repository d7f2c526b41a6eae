"""What is pushed is what was made: its weights are sound, belong together, and are those of the run that it shows."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.repocard_data import model_index_to_eval_results
from transformers import AutoModel, AutoModelForPreTraining, PreTrainedConfig, PreTrainedModel
from transformers.utils import CONFIG_NAME

from ..checks.bounded_json import read_json
from ..checks.checkpoints import listed, load_checked
from ..checks.processors import checked_image_processor
from ..checks.regular_files import read_regular
from ..checks.repository_files import pinned
from ..loading import PRETRAINING
from ..modalities import modality_of_sample
from ..processing_utils import SSLProcessorMixin
from ..registry import method_of
from ..utils.files import sha256
from ..utils.printing import printable
from ..utils.redaction import secret_in
from .card.fingerprint import embedding_check, same_embedding
from .card.sections import eval_results
from .card.validation import UNSEEN, front_matter
from .export import published_head, published_parts, published_weights
from .run_results import RESULTS, read_results

CARD = "README.md"
# Keys of a configuration that make a loader run code of a repository.
_RUN_CODE = {"auto_map", "auto_mapping", "custom_code", "custom_pipelines", "custom_generate", "trust_remote_code"}
_KERNELS = {"attn_implementation", "_attn_implementation", "experts_implementation", "_experts_implementation"}
# What a configuration says of the files and versions that it came from.
_OF_FILES = ("_name_or_path", "_commit_hash", "architectures", "dtype", "torch_dtype", "transformers_version")
_MEGABYTES = 256  # of any other file
_HEADER = 1 << 22  # bytes of a file of weights in which texts are looked for


def require_harmless(found: Mapping[str, Path]) -> None:
    """
    Args:
        found (`dict[str, Path]`): files by their path in the repository.

    Raises:
        ValueError: for a configuration that would run code, a token or a password, or characters that are not seen.
    """
    for name, path in found.items():
        if UNSEEN.search(name):
            raise ValueError(f"{printable(str(path))} has a name with characters that are not seen: rename it.")
        text = _text(path)
        if name.endswith(".json"):
            content = read_results(path) if name == RESULTS else read_json(path)
            if name != RESULTS and (key := _runs_code(content)):
                raise ValueError(f"{path} has {key!r}, which makes a loader run code: take it out.")
            if unseen := UNSEEN.search(read_regular(path, _MEGABYTES).decode("utf-8")):
                raise ValueError(f"{path} holds the character {printable(unseen[0])}, which is not seen: take it out.")
            text += json.dumps(content, ensure_ascii=False)
        if what := secret_in(text):
            raise ValueError(f"{path} holds {what}: take it out, and have it replaced where it was given out.")


def _text(path: Path) -> str:
    """Of a file of weights, its header: the numbers are no text."""
    if path.suffix != ".safetensors":
        return read_regular(path, _MEGABYTES).decode("latin-1")
    with path.open("rb") as file:
        return file.read(_HEADER).decode("latin-1")


def _runs_code(content: Any) -> str | None:
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in _RUN_CODE or (key in _KERNELS and "/" in str(inner)):
                    return key
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return None


def require_as_made(folder: Path, found: Mapping[str, Path]) -> None:
    """
    The encoder at the root is that of `pretraining/`, finite, and the one that the results are of.

    Raises:
        ValueError: where it is not; it names the first weight, field or file that differs.
    """
    results = read_results(folder / RESULTS) or {}
    if "export" in results:
        _require_hashes(folder, found, results["export"])
    if results.get("evaluation"):
        _require_shown(found[CARD], results["evaluation"])
    method = _load(folder, AutoModelForPreTraining, PRETRAINING)
    auto_of_root = method_of(method.config).modality.load("auto_processor")
    own = checked_image_processor(folder, pinned(folder, {"subfolder": PRETRAINING}), auto_of_root)
    encoders = {}
    for subfolder, part in published_parts(method, own).items():
        head = published_head(part)
        encoders[subfolder] = encoder = _load(folder, AutoModel, subfolder, head)
        config, weights = published_weights(part)
        differing = [
            *_differing(_fields(config), _fields(encoder.config)),
            *_differing(weights, encoder.state_dict()),
        ]
        if head:
            whole = load_checked(type(part.model), folder, subfolder=subfolder)[0].state_dict()
            differing += _differing(head, {name: whole[name] for name in head})
        if isinstance(part.processor, SSLProcessorMixin):
            auto = modality_of_sample(part.processor.sample_keys[0]).load("auto_processor")
            there = checked_image_processor(folder, pinned(folder, {"subfolder": subfolder}), auto)
            differing += _differing(part.processor.native().to_dict(), there.to_dict())
        if differing:
            raise ValueError(
                f"The encoders {f'in {subfolder}/' if subfolder else 'at the root'} of {folder} and in "
                f"{PRETRAINING}/ differ ({listed(differing, 3)}): export it again."
            )
    if "export" in results:
        return
    place = pinned(folder, {"subfolder": method.embedding_folder})
    encoder = encoders[method.embedding_folder]
    processor = checked_image_processor(folder, place, auto_of_root)
    of_another = results.get("evaluation")  # nothing ties them to these weights
    if "embedding_check" in results:
        of_another = not same_embedding(embedding_check(encoder, processor), results["embedding_check"])
    if of_another:
        raise ValueError(
            f"Nothing shows that {folder / RESULTS} is of this encoder: put the one of its run there, or remove it "
            "and write the card again with hf-ssl card."
        )


def _require_shown(card: Path, evaluation: Mapping[str, Any]) -> None:
    """A card with numbers, of which an owner may add others, has those of the results."""
    index = front_matter(card.read_text(encoding="utf-8")).get("model-index")
    shown = {(one.metric_name, one.metric_value) for one in model_index_to_eval_results(index)[1]} if index else None
    for one in eval_results(evaluation, None) if shown is not None else ():
        if (one.metric_name, one.metric_value) not in shown:
            raise ValueError(
                f"The {one.metric_name} of {card.parent / RESULTS} is {one.metric_value}, which {card} does not show: "
                "put the results of the run there, or write the card again with hf-ssl card."
            )


def _require_hashes(folder: Path, found: Mapping[str, Path], export: Mapping[str, str]) -> None:
    made = {name for name in found if name != RESULTS and name.endswith((".json", ".safetensors"))}
    for name in sorted(made | export.keys()):
        if name not in made or name not in export or sha256(found[name]) != export[name]:
            raise ValueError(
                f"{folder / name} is not what the run wrote, by the hashes in its {RESULTS}: put that file back, or "
                "write a repository of a checkpoint into a new folder with hf-ssl export."
            )


def _load(folder: Path, auto: type, subfolder: str, head: Iterable[str] = ()) -> PreTrainedModel:
    """What `auto` loads from a folder, without a head of these names."""
    model, missing, left_over = load_checked(auto, folder, subfolder=subfolder)
    place, dropped = folder / subfolder, set(head)
    if wrong := missing + [name for name in left_over if name not in dropped]:
        raise ValueError(
            f"The weights beside {place / CONFIG_NAME} do not fit it, missing or left over are {listed(wrong)}."
        )
    return model


def _fields(config: PreTrainedConfig) -> dict[str, Any]:
    return {name: value for name, value in config.to_dict().items() if name not in _OF_FILES}


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Names whose values differ, or that only one of them has."""
    return sorted(
        name
        for name in one.keys() | other.keys()
        if name not in one or name not in other or not _equal(one[name], other[name])
    )


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one.to(other.dtype), other)
    return json.dumps(one, sort_keys=True, default=str) == json.dumps(other, sort_keys=True, default=str)
