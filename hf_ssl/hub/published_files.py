"""Which files of a folder are published, and what must be true of them before anything is sent."""

import json
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from transformers import AutoModel, AutoModelForPreTraining
from transformers.utils import CONFIG_NAME, IMAGE_PROCESSOR_NAME, SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME

from ..checkpoint_utils import listed, load_checked
from ..weight_checks import shards_of
from .card_validation import validate_card
from .export import PRETRAINING

CARD, FIGURES = "README.md", "figures"
_MODEL = (
    CONFIG_NAME,
    IMAGE_PROCESSOR_NAME,
    SAFE_WEIGHTS_NAME,
    SAFE_WEIGHTS_INDEX_NAME,
    "model-?????-of-?????.safetensors",
)
_WRITTEN = {"": (CARD, "results.json", *_MODEL), PRETRAINING: _MODEL, FIGURES: ("*.png",)}
_LICENSES = "LICENSE*"  # beside `license: other`; the owner's, so that it is never deleted
# What the Trainer keeps to resume: not published, and no reason to refuse a folder.
_TRAINER_STATE = ("optimizer*", "scheduler*", "scaler*", "rng_state*", "training_args.bin")
_PICKLES = {".bin", ".ckpt", ".h5", ".joblib", ".msgpack", ".npy", ".npz", ".pickle", ".pkl", ".pt", ".pth"}


def is_written_by_us(path: str) -> bool:
    """Whether a path, relative to a repository, is one that hf_ssl writes."""
    parent, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
    patterns = _WRITTEN.get("" if parent == "." else parent, ())
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def published_files(folder: str | Path) -> dict[str, Path]:
    """
    The files of a repository that `export_pretrained` wrote, by their path on the Hub; other files stay at home.

    Raises:
        ValueError: when something is missing (it is named), the card is not sound, weights are pickled or do not fit
            their config, or a file is a link.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder.")
    found = _candidates(folder)
    missing = [name for name in (CONFIG_NAME, IMAGE_PROCESSOR_NAME, CARD) if name not in found]
    missing += [f"{PRETRAINING}/{n}" for n in (CONFIG_NAME, IMAGE_PROCESSOR_NAME) if f"{PRETRAINING}/{n}" not in found]
    for part in ("", PRETRAINING):
        missing += _unused_weights(folder / part, f"{part}/" if part else "", found)
    if missing:
        raise ValueError(
            f"{folder} is no repository of hf_ssl, it lacks {listed(missing)}: write one with hf-ssl pretrain, "
            "export or convert."
        )
    problems = validate_card(found[CARD].read_text(encoding="utf-8"))
    if problems:
        raise ValueError(f"The card {found[CARD]} is not sound: {' '.join(problems)}")
    _require_model(folder, AutoModel, "", native=True)
    _require_model(folder, AutoModelForPreTraining, PRETRAINING, native=False)
    return found


def _candidates(folder: Path) -> dict[str, Path]:
    found = {}
    for part in _WRITTEN:
        inside = folder / part
        _require_no_link(folder, [inside] if part else [])
        for path in sorted(inside.iterdir()) if inside.is_dir() else ():
            name = f"{part}/{path.name}" if part else path.name
            if is_written_by_us(name) or (not part and fnmatchcase(path.name, _LICENSES)):
                _require_no_link(folder, [path])
                if path.is_file():
                    found[name] = path
            elif path.suffix in _PICKLES and not any(fnmatchcase(path.name, state) for state in _TRAINER_STATE):
                raise ValueError(
                    f"{path} could run code where it is loaded: only safetensors are published. Remove it."
                )
    return found


def _require_no_link(folder: Path, paths: list[Path]) -> None:
    for path in paths:
        if path.is_symlink():
            raise ValueError(f"{path} is a link to {path.readlink()}: publish a copy of the files, not links.")


def _unused_weights(folder: Path, prefix: str, found: dict[str, Path]) -> list[str]:
    """Takes out of `found` what no loader reads; gives the names of weights that are missing."""
    present = {name for name in found if name.startswith(prefix) and name.endswith((".safetensors", ".index.json"))}
    present = {name for name in present if "/" not in name.removeprefix(prefix)}
    if f"{prefix}{SAFE_WEIGHTS_NAME}" in found:
        needed = {f"{prefix}{SAFE_WEIGHTS_NAME}"}
    elif f"{prefix}{SAFE_WEIGHTS_INDEX_NAME}" in found:
        index = found[f"{prefix}{SAFE_WEIGHTS_INDEX_NAME}"]
        shards = {f"{prefix}{shard}" for shard in shards_of(index).values()}
        needed = shards | {f"{prefix}{SAFE_WEIGHTS_INDEX_NAME}"}
    else:
        needed = {f"{prefix}{SAFE_WEIGHTS_NAME}"}
    for name in present - needed:  # of an earlier export, sharded in another way
        del found[name]
    return sorted(needed - present)


def _require_model(folder: Path, auto: type, subfolder: str, native: bool) -> None:
    """Config and weights fit: every name and shape, read from the headers of the files alone."""
    path = folder / subfolder / CONFIG_NAME
    try:
        kind = str(json.loads(path.read_text(encoding="utf-8"))["model_type"])
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is no configuration of a model.") from None
    if kind.startswith("ssl_") is native:
        raise ValueError(
            f"{path} is of model_type {kind!r}, where a {'native encoder' if native else 'method of hf_ssl'} belongs: "
            "export the checkpoint again."
        )
    _, missing, left_over = load_checked(auto, folder, subfolder=subfolder, device_map="meta")
    if wrong := missing + left_over:
        raise ValueError(f"The weights beside {path} do not fit it, missing or left over are {listed(wrong)}.")
