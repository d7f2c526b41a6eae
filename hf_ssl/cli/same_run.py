"""Whether what is asked for now is the run that a folder holds."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..checks.bounded_json import read_large_json
from ..training import merge_arguments
from ..training.arguments import default_arguments
from .run_state import RunState
from .values import parse_values

# What may be another on a restart: it says where things lie, how fast they go, what is shown and kept of them.
_FREE = {
    *("output_dir", "overwrite", "evaluate", "max_unreadable"),
    *("report_to", "run_name", "project", "disable_tqdm", "doctor", "debug", "skip_memory_metrics"),
    *("online_knn", "online_knn_images", "per_device_eval_batch_size", "bf16_full_eval", "fp16_full_eval"),
    *("use_cpu", "views_on_device", "channels_last", "cached_chunk_size", "torch_empty_cache_steps"),
    *("dataloader_num_workers", "dataloader_pin_memory", "dataloader_persistent_workers"),
    *("dataloader_prefetch_factor", "dataloader_multiprocessing_context"),
}
_FREE_KINDS = ("hub_", "push_to_hub", "trackio_", "logging_", "log_", "save_", "eval_", "torch_compile", "ddp_")
_FREE_KINDS += ("activation_checkpointing", "gradient_checkpointing")
# More of these is allowed: `RunFolder.begin` compares the steps that follow.
LENGTH = {"num_train_epochs", "max_steps", "minutes"}
_PARTS = ("config", "processor")


def is_free(name: str) -> bool:
    """Whether what is asked for under this name may differ when a run goes on."""
    return name in _FREE | LENGTH or name.startswith(_FREE_KINDS)


def differences(before: RunState, asked: Mapping[str, Any], saved: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """
    What is asked for otherwise than in an earlier run, and would give another result, such as "seed was 1, now 2".
    What is named now and has the value that it had without being named is the same.

    Args:
        before ([`RunState`]): of the earlier run.
        asked (`dict`): now, see [`recorded`].
        saved (`dict`): under `config` and `processor`, the values that the earlier run wrote.
    """
    old, new = _flat(before.asked), _flat(asked)
    names = sorted(name for name in old.keys() | new.keys() if not is_free(name))
    changed = [name for name in names if (old.get(name) or None) != (new.get(name) or None)]
    changed = [name for name in changed if not _comes_to_the_same(name, old, new, before, saved)]
    return [f"{name} was {_said(old.get(name))}, now {_said(new.get(name))}" for name in changed]


def taken_over(before: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for in the same run earlier, with what may be another as it is asked for now."""
    training = {name: value for name, value in before["training"].items() if not is_free(name)}
    training |= {name: value for name, value in asked["training"].items() if is_free(name)}
    values = {name: value if is_free(name) else before.get(name, value) for name, value in asked.items()}
    return values | {"training": training}


def length_differs(before: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Whether another length is asked for."""
    old, new = _flat(before), _flat(asked)
    return any(old.get(name) != new.get(name) for name in LENGTH)


def _comes_to_the_same(
    name: str, old: Mapping[str, Any], new: Mapping[str, Any], before: RunState, saved: Mapping[str, Mapping[str, Any]]
) -> bool:
    part, _, field = name.partition(" ")
    if part in _PARTS and field:
        values = [parse_values({field: texts[name]})[field] if name in texts else None for texts in (old, new)]
        if name not in old:
            values[0] = saved[part].get(field)
        return name in new and values[0] == values[1]
    if name not in default_arguments():  # an option: named now, and chosen so before
        return name not in _PARTS and old.get(name) is None and new[name] == before.decided.get(name)
    if "training" not in before.decided:  # an older hf_ssl did not write it down
        return False
    arguments = {key: value for key, value in before.asked["training"].items() if key != name}
    now = arguments | ({name: new[name]} if name in new else {})
    try:
        return _whole(before.decided, before.asked["training"]) == _whole(before.decided, now)
    except ValueError:  # two arguments for one quantity
        return False


def _whole(decided: Mapping[str, Any], explicit: Mapping[str, Any]) -> dict[str, Any]:
    """All training arguments that follow from those that are named."""
    return default_arguments() | merge_arguments(decided["training"], explicit)


def _flat(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Training arguments by their names, fields of the configuration and the processor as `config NAME`."""
    values = {name: value for name, value in asked.items() if name not in (*_PARTS, "training")}
    for part in _PARTS:
        values |= {f"{part} {name}": value for name, value in (asked.get(part) or {}).items()}
    return values | asked.get("training", {})


def read_values(path: Path) -> dict[str, Any]:
    """A JSON object; an empty one where there is none."""
    try:
        return read_large_json(path)
    except (OSError, ValueError):
        return {}


def _said(value: Any) -> str:
    return "not set" if value in (None, [], {}) else json.dumps(value, ensure_ascii=False)
