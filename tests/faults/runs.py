"""Tiny runs of `hf-ssl pretrain`, what is to be seen of one from outside, and whether two ended equal."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from hf_ssl.registry import get_method

STATES = ("training", "trained", "exported", "evaluated", "carded", "pushed")
STEPS, SAVE_STEPS = 12, 3
# Queues, teachers, passes over the data before an epoch, banks: what a checkpoint may forget.
BACKBONES = {
    "simclr": "vit-nano",
    "dino": "vit-nano",
    "mae": "vit-nano",
    "moco_v2": "resnet-nano",
    "deepcluster_v2": "resnet-nano",
    "obow": "resnet-nano",
}
METHODS = tuple(BACKBONES)
_MAY_DIFFER = ("seconds", "runtime", "per_second", "resumed_from", "continued_from", "command", "hub_model_id")
_MAY_DIFFER += ("num_workers",)


def photos(folder: Path, images: int = 24, side: int = 32, names: tuple[str, str] = ("bright", "dark")) -> Path:
    """Images of noise in two classes."""
    generator = np.random.default_rng(0)
    for i in range(images):
        pixels = generator.integers(0, 128, (side, side, 3)) + 127 * (i % 2)
        path = folder / names[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    return folder


def words(method: str, data: Path | str, *more: str, output: str = "run", steps: int = STEPS) -> list[str]:
    """The command line of a run of seconds."""
    tiny = get_method(method).recipes["tiny"]
    views = {name: value for name, value in tiny.processor.items() if name != "patch_size"}
    small = {"--config": tiny.config, "--processor": views}
    line = ["pretrain", method, "--data", str(data), "--output-dir", output, "--backbone", BACKBONES[method]]
    line += ["--image-size", "32", "--max_steps", str(steps), "--save_steps", str(SAVE_STEPS), "--use_cpu"]
    line += ["--per_device_train_batch_size", "4", "--save_total_limit", "4"]
    if "--dataloader_num_workers" not in more:
        line += ["--dataloader_num_workers", "0"]
    for option, values in small.items():
        line += [word for name, value in values.items() for word in (option, f"{name}={json.dumps(value)}")]
    return [*line, *more]


def state(run: Path) -> str | None:
    """How far the run in a folder is, as its record says."""
    try:
        return json.loads((run / "run.json").read_text(encoding="utf-8")).get("state", "training")
    except (OSError, ValueError):
        return None


def has_reached(run: Path, wanted: str) -> bool:
    now = state(run)
    return now in STATES and STATES.index(now) >= STATES.index(wanted)


def is_at(run: Path, phase: str) -> bool:
    """Whether a run has come to "begun", "checkpoint-<step>", or a state."""
    if phase == "begun":
        return (run / "run.json").is_file()
    if phase.startswith("checkpoint-"):
        return (run / "checkpoints" / phase).is_dir()
    return has_reached(run, phase)


def left_over(run: Path) -> list[str]:
    """What only a run that has not ended may have in its folder."""
    return sorted(
        str(path.relative_to(run))
        for path in run.rglob("*")
        if path.name.startswith((".saving-", ".export-", "tmp")) or path.name.endswith((".part", ".tmp"))
    )


def last_checkpoint(run: Path) -> Path | None:
    found = sorted((run / "checkpoints").glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    return found[-1] if found else None


def outcome(run: Path) -> dict[str, str]:
    """A hash for everything that must not depend on whether the run was interrupted, by what it is."""
    found = {
        str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (*run.glob("*"), *(run / "pretraining").glob("*"))
        if path.is_file() and (path.suffix == ".safetensors" or path.name.endswith("config.json"))
    }
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    found |= {
        f"results.json {name}": value for name, value in _flat(results).items() if not name.endswith(_MAY_DIFFER)
    }
    checkpoint = last_checkpoint(run)
    found["last checkpoint"] = checkpoint.name if checkpoint else "none"
    for path in checkpoint.iterdir() if checkpoint else ():
        if path.suffix == ".safetensors":
            found[f"{checkpoint.name}/{path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.name in ("optimizer.pt", "scheduler.pt") or path.name.startswith("rng_state"):
            found[f"{checkpoint.name}/{path.name}"] = _digest(torch.load(path, "cpu", weights_only=False))
    return found


def difference(run: Path, whole: dict[str, str]) -> str | None:
    """A sentence, unless the run ended as the one whose `outcome` is given, and left nothing over."""
    try:
        ours = outcome(run)
    except (OSError, ValueError) as error:
        return f"The run is not complete: {error}."
    if other := sorted(name for name in ours.keys() | whole.keys() if ours.get(name) != whole.get(name)):
        more = f" and {len(other) - 8} more" if len(other) > 8 else ""
        return f"Not what an uninterrupted run gives: {', '.join(other[:8])}{more}."
    if rest := left_over(run):
        return f"Left over: {', '.join(rest)}."
    return None


def _flat(value: Any, name: str = "") -> dict[str, str]:
    """The leaves of nested containers by where they are."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {name: repr(value)}
    return {k: v for key, part in items for k, v in _flat(part, f"{name}.{key}".lstrip(".")).items()}


def _digest(value: Any) -> str:
    """Of nested containers with tensors and arrays, by their values."""
    digest = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, dict):
            for name in sorted(part, key=str):
                digest.update(str(name).encode())
                add(part[name])
        elif isinstance(part, list | tuple):
            for item in part:
                add(item)
        elif isinstance(part, torch.Tensor | np.ndarray):
            array = np.ascontiguousarray(part)
            digest.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
        else:
            digest.update(repr(part).encode())

    add(value)
    return digest.hexdigest()
