"""Checkpoint files from anywhere, read without trust."""

import argparse
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

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
