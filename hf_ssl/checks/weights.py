"""Safetensors from anywhere, looked at before they are loaded: where they lie, what they hold, what it should be."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME, WEIGHTS_INDEX_NAME, WEIGHTS_NAME
from transformers.utils.peft_utils import ADAPTER_CONFIG_NAME

from .bounded_json import read_json
from .configs import parameters_of
from .repository_files import Where, find_file

_FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_COUNTS = ("I64", "I32", "I16", "I8", "U8", "BOOL")
_SHARD = re.compile(r"[\w-][\w.-]*\.safetensors")
# An encoder may have heads around it that its file lacks, but nothing that a machine has no room for.
_FRESH = 2**28


def weight_files(repository: str | Path, where: Where, variant: str | None = None) -> list[Path]:
    """
    The safetensors of a repository, on this machine.

    Raises:
        ValueError: for an adapter (its base model lies elsewhere), weights that are pickled only, an index that is
            damaged or names anything else than files beside it, and links out of the folder.
        OSError: where there are no weights, and as in [`find_file`].
    """
    place = Path(repository, where.get("subfolder") or "")
    if (place / "adapter_model.bin").is_file() or find_file(repository, ADAPTER_CONFIG_NAME, where):
        raise ValueError(f"{repository} is an adapter of another model: merge it into that model and save the whole.")
    for index in sorted(place.glob("*.safetensors.index.json")):
        shards_of(index)
    single, several = (_variant(name, variant) for name in (SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME))
    if file := find_file(repository, single, where):
        return [file]
    if index := find_file(repository, several, where):
        shards = shards_of(index)
        files = {name: find_file(repository, name, where) for name in sorted(set(shards.values()))}
        if lost := [name for name, file in files.items() if file is None]:
            raise ValueError(f"{index} names {lost[0]}, which is not there: get the weights again.")
        _require_true(index, shards, files)
        return list(files.values())
    pickled = [name for name in (WEIGHTS_NAME, WEIGHTS_INDEX_NAME) if (place / name).is_file()]
    if pickled:
        raise ValueError(
            f"{place} holds pickled weights only ({pickled[0]}), which could run code: they are not loaded. Save "
            f"them as {SAFE_WEIGHTS_NAME} first."
        )
    raise OSError(f"{place} holds no {single}, and pickled weights could run code.")


def _variant(name: str, variant: str | None) -> str:
    stem, rest = name.split(".", 1)
    return f"{stem}.{variant}.{rest}" if variant else name


def shards_of(index: Path) -> dict[str, str]:
    """Name of a tensor -> the file that an index of shards says it is in."""
    try:
        values = read_json(index)
        shards, facts = values.get("weight_map"), values.get("metadata", {})
        if not isinstance(shards, dict) or not shards or not isinstance(facts, dict):
            raise ValueError(f"{index} has no weight_map.")
    except ValueError as error:
        raise ValueError(f"{index} is no index of shards: it is damaged ({str(error).rstrip('.')}).") from None
    for shard in shards.values():
        if not isinstance(shard, str) or not _SHARD.fullmatch(shard):
            raise ValueError(f"{index} names {shard!r:.100}, which is no file of weights beside it: it is not loaded.")
    return shards


def _require_true(index: Path, shards: dict[str, str], files: dict[str, Path]) -> None:
    for shard, file in files.items():
        inside, listed = set(header_of(file)), {name for name, s in shards.items() if s == shard}
        if wrong := sorted(inside ^ listed):
            raise ValueError(f"{index} and {shard} do not agree on {wrong[0]}: get the weights again.")
    stated = read_json(index).get("metadata", {}).get("total_size")
    if stated is not None:
        total = sum(_bytes_of(file) for file in files.values())
        if stated != total:
            raise ValueError(f"{index} says that the weights are {stated!r:.40} bytes, but they are {total}.")


def _bytes_of(file: Path) -> int:
    """Of the tensors alone: what follows the header, whose length stands in the first eight bytes."""
    with file.open("rb") as stream:
        return file.stat().st_size - 8 - int.from_bytes(stream.read(8), "little")


def header_of(file: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """
    Name of a tensor -> its dtype, as safetensors writes it, and its shape.

    Raises:
        ValueError: for a file that is no safetensors, is damaged, or holds kinds of numbers that no encoder has.
    """
    try:
        with safe_open(file, "pt") as opened:
            slices = {name: opened.get_slice(name) for name in opened.keys()}
            header = {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
            facts = opened.metadata() or {}
    except (SafetensorError, RuntimeError, ValueError, TypeError, OverflowError, MemoryError) as error:
        reason = _first_line(error)
        raise ValueError(
            f"The weights in {file} are damaged, or do not fit its config: get them again ({reason})."
        ) from None
    if not header:
        raise ValueError(f"{file} holds no tensors.")
    if facts.get("format") not in (None, "pt"):
        raise ValueError(f"{file} is of {facts['format']!r:.40} by its metadata, not of PyTorch (pt).")
    for name, (dtype, _) in header.items():
        if dtype not in _FLOATS and dtype not in _COUNTS:
            raise ValueError(f"{file} holds {name} as {dtype}, which no encoder is made of.")
    return header


def require_fitting(
    files: list[Path], auto: type, config: PreTrainedConfig, place: str | Path, dtype: str | None
) -> None:
    """
    Raises:
        ValueError: for weights of another dtype than the config's, whole numbers where the model has others and the
            other way round, numbers that are not finite, and a config of a much larger model than the weights.

    Args:
        files (`list[Path]`): from [`weight_files`].
        auto (`type`): of the Auto classes, or a model class.
        config (`PreTrainedConfig`)
        place (`str` or `Path`): for the messages.
        dtype (`str`, *optional*): what the config said before anybody asked for another one.
    """
    headers = {file: header_of(file) for file in files}
    tensors = {name: entry for header in headers.values() for name, entry in header.items()}
    _require_dtype(tensors, dtype, place)
    model = parameters_of(auto, config, place)
    state = model.state_dict()
    expected = sum(tensor.numel() for tensor in state.values())
    held = sum(torch.Size(shape).numel() for _, shape in tensors.values())
    if expected > max(_FRESH, 4 * held):
        raise ValueError(f"The config.json of {place} describes {expected} parameters, but its weights hold {held}.")
    whole = {name.rpartition(".")[2] for name, tensor in state.items() if not tensor.is_floating_point()}
    broken = {name.rpartition(".")[2] for name, tensor in state.items() if tensor.is_floating_point()} - whole
    for name, (kind, _) in tensors.items():
        last = name.rpartition(".")[2]
        if (kind in _FLOATS and last in whole) or (kind not in _FLOATS and last in broken):
            raise ValueError(f"The weights of {place} hold {name} as {kind}: they are damaged, or of another model.")
    require_finite(headers, place)


def _require_dtype(tensors: dict[str, tuple[str, tuple[int, ...]]], dtype: str | None, place: str | Path) -> None:
    """All numbers are of the config's dtype; beside such, some may be kept in float32 (a centre, a memory)."""
    count = Counter()
    for kind, shape in tensors.values():
        if kind in _FLOATS:
            count[_FLOATS[kind]] += torch.Size(shape).numel()
    if not count:
        raise ValueError(f"The weights of {place} hold whole numbers only: they are no weights of a model.")
    stated = count.most_common(1)[0][0] if dtype is None else vars(torch)[dtype]
    for kind in count:
        if kind != stated and (kind is not torch.float32 or stated not in count):
            stored, named = (str(x).removeprefix("torch.") for x in (kind, stated))
            raise ValueError(
                f"The weights of {place} are stored in {stored}, but its config.json says {named}: get them again, or "
                f'set "dtype": "{stored}" in it if that is meant.'
            )


def require_finite(files: Any, place: str | Path) -> None:
    """A `ValueError` where safetensors `files` hold a number that is not finite: NaN or infinity."""
    for file in files:
        with safe_open(file, "pt") as opened:
            for name in opened.keys():
                tensor = opened.get_tensor(name)
                if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                    raise ValueError(
                        f"The weights of {place} hold values in {name} that are no finite numbers (NaN or infinity): "
                        "the training that made them failed."
                    )


def _first_line(error: Exception) -> str:
    return " ".join((str(error).strip().splitlines() or [type(error).__name__])[0].split())[:300]


def require_names(model: PreTrainedModel, left_over: list[str], place: str | Path) -> None:
    """
    Raises:
        ValueError: where tensors are left over that belong to modules of the model, or to such that differ from them
            in the number of a layer only: the config describes less than the weights hold.
    """
    known = {_module(name) for name in model.state_dict()}
    for name in left_over:
        if name.endswith((".weight", ".bias")) and _module(name) in known:
            raise ValueError(f"The weights of {place} do not fit its config.json, which has no place for {name}.")


def _module(name: str) -> str:
    return re.sub(r"\d+", "#", name.rpartition(".")[0])
