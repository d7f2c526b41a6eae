"""Checkpoint files from anywhere, read without trust."""

import argparse
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import PreTrainedModel
from transformers.utils import (
    SAFE_WEIGHTS_NAME,
    WEIGHTS_INDEX_NAME,
    WEIGHTS_NAME,
    is_peft_available,
)
from transformers.utils.peft_utils import find_adapter_config_file

_MAX_EXPANSION = 4  # what a file may unpack to, over its own size; torch stores uncompressed


class _Inert:
    """Takes the place of harmless objects in a checkpoint that nobody needs: built of anything, it keeps nothing."""

    def __init__(self, *args): ...
    def __setstate__(self, state): ...


# Schedules from numpy leave scalars in the state of the optimizer (DINO); paths stand in the arguments of scripts.
_INERT = (
    "numpy.core.multiarray.scalar numpy._core.multiarray.scalar numpy.core.multiarray._reconstruct "
    "numpy._core.multiarray._reconstruct numpy.ndarray numpy.dtype pathlib.PosixPath pathlib._local.PosixPath"
).split()


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """
    What a `.safetensors` file or a file of `torch.save` holds, without running any code of it.

    Raises:
        ValueError: for a file that is none, is damaged, holds objects other than tensors, numbers, texts and the
            arguments of a script, or unpacks to much more than its size.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a checkpoint file.")
    path.open("rb").close()  # a file that is missing or locked is an `OSError`; any later one is damage
    size = path.stat().st_size
    try:
        if path.suffix == ".safetensors":
            checkpoint = load_file(path)
        else:
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    _require_no_bomb(path, sum(entry.file_size for entry in archive.infolist()), size)
            stand_ins = [(_Inert, name) for name in _INERT]
            with torch.serialization.safe_globals([argparse.Namespace, *stand_ins]):
                checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except _Bomb:
        raise
    except Exception as error:  # whatever a damaged or hostile file makes the reader do, it is no checkpoint
        unknown = re.search(r"GLOBAL (\S+)", str(error))
        raise ValueError(
            f"{path} holds {unknown[1]}, which could run code: it is not loaded. Save the state dict alone."
            if unknown
            else f"{path} cannot be read as a checkpoint ({type(error).__name__}): it is damaged or of another kind."
        ) from None
    if not isinstance(checkpoint, Mapping):
        raise ValueError(f"{path} holds no state dict but an object of type {type(checkpoint).__name__}.")
    # A tensor can be a view of one number that claims to be a million.
    _require_no_bomb(path, sum(t.numel() * t.element_size() for t in _tensors_in(checkpoint)), size)
    return dict(checkpoint)


class _Bomb(ValueError):
    pass


def _require_no_bomb(path: Path, unpacked: int, size: int) -> None:
    if unpacked > _MAX_EXPANSION * size:
        raise _Bomb(
            f"{path} of {size} bytes would unpack to {unpacked}, more than {_MAX_EXPANSION} times its size: "
            "it is not loaded."
        )


def require_own_weights(repository: str | Path, revision: str | None = None, subfolder: str = "") -> None:
    """
    Refuse, before anything is read, what would make `from_pretrained` leave a repository or unpickle.

    The Hub's client keeps shards inside of a download by itself, so that these are looked for in folders only.

    Args:
        repository (`str` or `Path`): id on the Hub, or folder.

    Raises:
        ValueError: for an adapter (its base model lies elsewhere), shards outside of the folder, or weights that are
            pickled only.
    """
    folder = Path(repository, subfolder)
    adapter = (folder / "adapter_model.bin").is_file()  # a config can name it as its weights
    if adapter or (
        (folder.is_dir() or is_peft_available())
        and find_adapter_config_file(str(repository), revision=revision, subfolder=subfolder)
    ):
        raise ValueError(f"{repository} is an adapter of another model: merge it into that model and save the whole.")
    indices = sorted(folder.glob("*.safetensors.index.json"))  # a config can name any of them
    for index in indices:
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(f"{index} is no index of shards: it is damaged.") from None
        for shard in shards:
            if not re.fullmatch(r"[\w-][\w.-]*\.safetensors", str(shard)):
                raise ValueError(f"{index} names {shard!r}, which is no file of weights beside it: it is not loaded.")
    pickled = [name for name in (WEIGHTS_NAME, WEIGHTS_INDEX_NAME) if (folder / name).is_file()]
    if pickled and not indices and not (folder / SAFE_WEIGHTS_NAME).is_file():
        raise ValueError(
            f"{folder} holds pickled weights only ({pickled[0]}), which could run code: they are not loaded. Save "
            f"them as {SAFE_WEIGHTS_NAME} first."
        )


def load_checked(auto: type, repository: str | Path, **where: Any) -> tuple[PreTrainedModel, list[str], list[str]]:
    """
    A model from safetensors, with nothing of its repository run, and the names of weights that do not fit.

    Args:
        auto (`type`): of the Auto classes, or a model class.
        repository (`str` or `Path`): id on the Hub, or folder.
        where: further arguments of `from_pretrained`, such as `subfolder`.

    Returns:
        `(PreTrainedModel, list[str], list[str])`: the model, what is missing, and what is left over.

    Raises:
        ValueError: for weights that are damaged or of other shapes, and as in `require_own_weights`.
    """
    require_own_weights(repository, where.get("revision"), where.get("subfolder", ""))
    safe = {"use_safetensors": True, "trust_remote_code": False, "output_loading_info": True}
    try:
        model, info = auto.from_pretrained(repository, **where, **safe)
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).strip().splitlines()[0].split())
        place = Path(repository, where.get("subfolder", ""))
        raise ValueError(f"The weights of {place} are damaged, or do not fit its config: {reason}") from None
    return model, sorted(info["missing_keys"]), sorted(info["unexpected_keys"])


def listed(names: list[str], shown: int = 10) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _tensors_in(checkpoint: Mapping) -> Iterable[torch.Tensor]:
    """Every tensor once: containers may hold themselves, or each other very often."""
    waiting, seen = [checkpoint], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, Mapping | list | tuple):
            waiting += value.values() if isinstance(value, Mapping) else value
