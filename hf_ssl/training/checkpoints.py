"""Checkpoints that are whole or are not there."""

import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import TrainerState
from transformers.trainer import TRAINER_STATE_NAME, TRAINING_ARGS_NAME
from transformers.trainer_pt_utils import safe_globals
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from ..utils.files import sha256, sync_folder, sync_tree, write_json

MANIFEST = "manifest.json"
_VERSION = 1
_CHECKPOINT = re.compile(rf"{PREFIX_CHECKPOINT_DIR}-(\d+)")
_UNFINISHED = re.compile(r"\.(saving|removing)-\d+")
# What training needs to go on, by the names that Trainer, FSDP and DeepSpeed give it.
_NEEDED = {
    "the weights": ("*.safetensors", "pytorch_model*"),
    "the state of the optimizer": ("optimizer*", "global_step*", "rank*-of-*"),
    "the state of the learning rate's schedule": ("scheduler*", "global_step*"),
    "the random state": ("rng_state*.pth",),
    f"{TRAINER_STATE_NAME}": (TRAINER_STATE_NAME,),
}


def newest_whole(folder: Path) -> tuple[Path | None, list[str]]:
    """
    The checkpoint to go on from.

    Args:
        folder (`Path`): holds `checkpoint-<step>` folders; need not exist.

    Returns:
        `(Path | None, list[str])`: the checkpoint of the most steps whose parts all have the size and hash that its
        manifest says, and a sentence for every newer one that was passed over: which, and why.
    """
    passed_over = []
    for checkpoint in reversed(checkpoints_in(folder)):
        found = fault(checkpoint)
        if found is None:
            return checkpoint, passed_over
        passed_over.append(f"{checkpoint} is passed over: {found}.")
    return None, passed_over


def fault(checkpoint: Path) -> str | None:
    """
    Why training cannot go on from a checkpoint, as half a sentence; `None` when it can.

    One with a manifest (see [`finish`]) must be what that says, byte for byte. Of one without, by an older hf_ssl or
    a plain Trainer, every part must be there and must have its beginning and its end.
    """
    if not checkpoint.is_dir():
        return "there is no such folder"
    for part, patterns in _NEEDED.items():
        if not any(any(checkpoint.glob(pattern)) for pattern in patterns):
            return f"it lacks {part}"
    try:
        read_state(checkpoint)
        manifest = read_manifest(checkpoint)
        if manifest is None:
            return next((f"its {path.name} is damaged" for path in checkpoint.iterdir() if not _opens(path)), None)
        for name, entry in manifest["files"].items():
            path = checkpoint / name
            if not path.is_file():
                return f"it lacks {name}"
            if path.stat().st_size != entry["size"]:
                return f"its {name} has {path.stat().st_size} bytes in place of {entry['size']}"
            if sha256(path) != entry["sha256"]:
                return f"the content of its {name} is not what was saved"
    except ValueError as error:
        return str(error)
    except OSError as error:
        return f"it cannot be read ({error})"
    return None


def read_manifest(checkpoint: Path) -> dict[str, Any] | None:
    """
    What the manifest of a checkpoint says, see [`finish`]; `None` without one.

    Raises:
        ValueError: when it is not what `finish` writes.
    """
    path = checkpoint / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version, files = manifest["version"], manifest["files"]
        sound = all(isinstance(entry["size"], int) and isinstance(entry["sha256"], str) for entry in files.values())
        sound = sound and not any(Path(name).is_absolute() or ".." in Path(name).parts for name in files)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound, version = False, _VERSION
    if not sound:
        raise ValueError(f"its {MANIFEST} is damaged")
    if version != _VERSION:
        raise ValueError(f"its {MANIFEST} is of version {version}, by a newer hf_ssl")
    return manifest


def read_state(checkpoint: Path) -> tuple[int, int]:
    """
    Optimizer steps done and planned.

    Raises:
        ValueError: when the checkpoint does not say so.
    """
    try:
        state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        steps = state.global_step, state.max_steps
    except (OSError, ValueError, TypeError, RecursionError):
        steps = (None, None)
    if not all(isinstance(count, int) and count >= 0 for count in steps):
        raise ValueError(f"its {TRAINER_STATE_NAME} is damaged")
    return steps


def finish(aside: Path, checkpoint: Path, facts: dict[str, Any]) -> None:
    """
    Turn a folder of files that were written aside into a checkpoint: on the disk, with a manifest, under its name.

    Args:
        aside (`Path`): the folder with every part.
        checkpoint (`Path`): in the same folder; what is there under this name is replaced.
        facts (`dict`): goes into the manifest, next to the size and the SHA-256 of every file that training reads.
    """
    sync_tree(aside)
    # Nobody reads the arguments, and a checkpoint on the Hub lacks them.
    paths = [path for path in aside.rglob("*") if path.is_file() and path.name != TRAINING_ARGS_NAME]
    files = {
        path.relative_to(aside).as_posix(): {"size": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(paths)
    }
    write_json(aside / MANIFEST, {"version": _VERSION, **facts, "files": files})
    if checkpoint.exists():
        remove(checkpoint)
    aside.rename(checkpoint)
    sync_folder(checkpoint.parent)


def aside_of(checkpoint: Path) -> Path:
    """Where a checkpoint is written before it is whole."""
    return checkpoint.with_name(f".saving-{step_of(checkpoint)}")


def remove(checkpoint: Path) -> None:
    """Remove a checkpoint; one that is half removed has another name."""
    removed = checkpoint.with_name(f".removing-{step_of(checkpoint)}")
    shutil.rmtree(removed, ignore_errors=True)
    checkpoint.rename(removed)
    shutil.rmtree(removed, ignore_errors=True)


def rotate(newest: Path, best: Path | None, limit: int | None) -> None:
    """
    Remove checkpoints next to `newest`: those that a clock or a signal asked for, and of the rest the oldest, those of
    later steps first: they are of a run that was left.

    Args:
        newest (`Path`): just saved; it stays.
        best (`Path`, *optional*): stays too.
        limit (`int`, *optional*): how many to keep, `None` for all that the arguments asked for.
    """
    others = [path for path in checkpoints_in(newest.parent) if path not in (newest, best)]
    others.sort(key=lambda path: (step_of(path) < step_of(newest), step_of(path)))
    surplus = [path for path in others if not _is_scheduled(path)]
    others = [path for path in others if path not in surplus]
    if limit is not None and limit > 0:
        kept = 1 if best in (None, newest) else 2
        surplus += others[: max(len(others) + kept - limit, 0)]
    for path in surplus:
        remove(path)


def sweep(folder: Path) -> None:
    """Remove what a killed process left half saved or half removed; nobody may be saving."""
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)


def checkpoints_in(folder: Path) -> list[Path]:
    """The folders `checkpoint-<step>` in `folder`, fewest steps first, whole or not."""
    paths = folder.iterdir() if folder.is_dir() else ()
    return sorted((path for path in paths if _CHECKPOINT.fullmatch(path.name) and path.is_dir()), key=step_of)


def step_of(checkpoint: Path) -> int:
    """Optimizer steps of a folder `checkpoint-<step>`."""
    return int(_CHECKPOINT.fullmatch(checkpoint.name)[1])


def _is_scheduled(checkpoint: Path) -> bool:
    try:
        manifest = read_manifest(checkpoint)
    except ValueError:
        return True
    return manifest is None or manifest.get("scheduled", True)


def _opens(path: Path) -> bool:
    """Whether a file of a checkpoint can be read, as far as its format says so."""
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt"):
                return True
        if path.suffix in (".pt", ".pth"):
            with safe_globals(), zipfile.ZipFile(path) as archive:
                torch.load(path, map_location="cpu", mmap=True, weights_only=True)
                return archive.testzip() is None
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
    except Exception:  # unpickling raises anything
        return False
    return True
