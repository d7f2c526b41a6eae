"""What a run wrote of itself, `results.json`: read once, in one way, with the types that the card relies on."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from ..checks.bounded_json import read_large_json

RESULTS = "results.json"


def read_results(path: Path) -> dict[str, Any] | None:
    """
    What is in a `results.json`; `None` where there is nothing of that name.

    Raises:
        ValueError: for what is no file, is no JSON, or is not what a run writes; the field is named.
    """
    if not os.path.lexists(path):
        return None
    try:
        found = read_large_json(path)
    except FileNotFoundError:
        raise not_written(path, "is a link to nothing") from None
    except ValueError as error:
        raise not_written(path, str(error).removeprefix(str(path)).strip(" .")) from None
    if wrong := _wrong(found, _RESULTS):
        field, kind = wrong
        raise not_written(path, f"{field} must be {kind}")
    if found.get("run") and not found["run"].keys() & _RUN.keys():
        raise not_written(path, f"run has none of the fields {', '.join(sorted(_RUN))}")
    return found


def not_written(path: Path, reason: str) -> ValueError:
    """The error of a `results.json` that is not what a run writes."""
    return ValueError(f"{path} is not what a run writes ({reason}): mend or remove it.")


@dataclass
class _OrNull:
    """A kind of value, or null."""

    kind: Any


def _wrong(value: Any, kind: Any, name: str = "") -> tuple[str, str] | None:
    """
    The first field that is of another kind, and what it must be; `None` where all are as they must be.

    Args:
        kind: a test and what it asks for in words, a table of kinds by the names of fields, of which any may be
            absent, a list with the kind of its entries, or [`_OrNull`].
    """
    if isinstance(kind, _OrNull):
        return None if value is None else _wrong(value, kind.kind, name)
    if isinstance(kind, dict):
        if not isinstance(value, Mapping):
            return name, "a JSON object"
        inner = ((f"{name}.{key}".lstrip("."), value[key], inner) for key, inner in kind.items() if key in value)
    elif isinstance(kind, list):
        if not isinstance(value, list):
            return name, "a list"
        inner = ((f"{name}[{i}]", entry, kind[0]) for i, entry in enumerate(value))
    else:
        test, words = kind
        return None if test(value) else (name, words)
    return next((found for field, entry, kind in inner if (found := _wrong(entry, kind, field))), None)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_number(value: Any, top: float = 1e15, low: float = 0) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= top


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 2**16


_WHOLE = (_is_whole, "a whole number, 0 or more")
_POSITIVE = (lambda value: _is_whole(value) and value > 0, "a whole number above 0")
_NUMBER = (_is_number, "a number, 0 or more")
_FINITE = (lambda value: _is_number(value, 1e30, -1e30), "a number")
_PERCENT = (lambda value: _is_number(value, 100), "a number in [0, 100]")
_TEXT = (_is_text, "a text")
_TEXT_TABLE = (
    lambda value: isinstance(value, Mapping) and all(map(_is_text, value.values())),
    "a JSON object of texts",
)
_KINDS = {
    bool: (lambda value: isinstance(value, bool), "true or false"),
    int: (lambda value: _is_whole(value) or (value == -1 and not isinstance(value, float)), "a whole number"),
    float: (lambda value: _is_number(value, 1e12, -1), "a number"),
}
_ARGUMENTS = {field.name: _KINDS[field.type] for field in fields(TrainingArguments) if field.type in _KINDS}
_EVALUATION = {
    "rows": [{"name": _TEXT, "dim": _POSITIVE, "knn": _PERCENT, "linear": _OrNull(_PERCENT)}],
    **dict.fromkeys(("num_train", "num_test", "num_classes"), _POSITIVE),
    "chance": _PERCENT,
    **dict.fromkeys(("effective_rank", "feature_std"), _NUMBER),
    "protocol": {"k": _POSITIVE, "temperature": _NUMBER, "linear": _OrNull(_TEXT), "seed": _WHOLE},
    "notes": [_TEXT],
    "dataset": _OrNull(_TEXT),
}
_RUN = {
    **dict.fromkeys(("command", "method", "hardware"), _TEXT),
    **dict.fromkeys(("dataset", "dataset_description", "base_model"), _OrNull(_TEXT)),
    **dict.fromkeys(("seed", "steps", "batch_size"), _WHOLE),
    "resumed_from": _OrNull(_WHOLE),
    **dict.fromkeys(("epochs", "seconds", "images_per_second"), _OrNull(_NUMBER)),
    "versions": _TEXT_TABLE,
    "effective": {
        **dict.fromkeys(("optimizer", "lr_scheduler_type"), _OrNull(_TEXT)),
        **dict.fromkeys(("learning_rate", "warmup_steps", "weight_decay"), _OrNull(_NUMBER)),
    },
    "training_arguments": _ARGUMENTS,
    "doctor": _OrNull([_TEXT]),
}
_RESULTS = {
    "run": _RUN,
    "evaluation": _OrNull(_EVALUATION),
    "embedding_check": _OrNull({"shape": [_POSITIVE], "dim": _POSITIVE, "first": [_FINITE]}),
    "export": _TEXT_TABLE,
}
