"""Which files of a folder are published, and what must be true of them before anything is sent."""

from collections.abc import Collection
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from transformers.utils import (
    CONFIG_NAME,
    IMAGE_PROCESSOR_NAME,
    PROCESSOR_NAME,
    SAFE_WEIGHTS_INDEX_NAME,
    SAFE_WEIGHTS_NAME,
)

from ..checks.bounded_json import read_json
from ..checks.checkpoints import listed
from ..checks.regular_files import read_text_if_any
from ..checks.weights import shards_of
from ..loading import PRETRAINING
from ..utils.files import sha256
from .card.validation import validate_card
from .export import folders_in
from .push_checks import CARD, require_as_made, require_harmless
from .run_results import RESULTS

FIGURES = "figures"
_MODEL = (
    CONFIG_NAME,
    IMAGE_PROCESSOR_NAME,
    SAFE_WEIGHTS_NAME,
    SAFE_WEIGHTS_INDEX_NAME,
    "model-?????-of-?????.safetensors",
)
# Of processors that are more than an image processor.
_PROCESSOR = ("*processor_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_PROCESSOR += ("vocab.json", "vocab.txt", "merges.txt")
_LICENSES = "LICENSE*"  # beside `license: other`; the owner's, so that it is never deleted
# What the Trainer keeps to resume: not published, and no reason to refuse a folder.
_TRAINER_STATE = ("optimizer*", "scheduler*", "scaler*", "rng_state*", "training_args.bin")
_RUN_CODE = {
    ".py",
    ".pyc",
    ".so",
    ".bin",
    ".ckpt",
    ".h5",
    ".joblib",
    ".msgpack",
    ".npy",
    ".npz",
    ".pickle",
    ".pkl",
    ".pt",
    ".pth",
}


def is_written_by_us(path: str, folders: Collection[str] = (PRETRAINING,)) -> bool:
    """
    Whether a path, relative to a repository, is one that hf_ssl writes.

    Args:
        folders (`Collection[str]`, *optional*): the subfolders of weights, see `folders_of`.
    """
    parent, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
    return any(fnmatchcase(name, pattern) for pattern in _written("" if parent == "." else parent, folders))


def _written(folder: str, folders: Collection[str]) -> tuple[str, ...]:
    """Patterns of the names of files that hf_ssl writes into a folder of a repository."""
    if folder == FIGURES:
        return ("*.png",)
    if folder == "":
        return (CARD, RESULTS, *_MODEL, *_PROCESSOR)
    return (*_MODEL, *_PROCESSOR) if folder in folders else ()


def exported_hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of an export: encoders, method, and their processors, by path."""
    if not (folder / PRETRAINING).is_dir():
        return {}
    folders = folders_in(folder)
    paths = [path for part in ("", *folders) if (folder / part).is_dir() for path in (folder / part).iterdir()]
    names = {path.relative_to(folder).as_posix(): path for path in sorted(paths) if path.is_file()}
    return {
        name: sha256(path)
        for name, path in names.items()
        if is_written_by_us(name, folders) and name not in (CARD, RESULTS)
    }


def published_files(folder: str | Path, allow_links: bool = False) -> dict[str, Path]:
    """
    The files of a repository that `export_pretrained` wrote, by their path on the Hub; other files stay at home.

    Args:
        folder (`str` or `Path`)
        allow_links (`bool`, *optional*, defaults to `False`): whether the card may lead to other places.

    Raises:
        ValueError: when something is missing (it is named), the card is not sound, weights are pickled, not finite or
            do not fit their config, the encoder at the root is not that of `pretraining/` or not the one that the run
            in `results.json` exported, a file would run code, holds a token or characters that are not seen, or is a
            link.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder.")
    folders = folders_in(folder)
    found = _candidates(folder, folders)
    # The file of a processor of several kinds of samples holds that of its images, too.
    root = PROCESSOR_NAME if PROCESSOR_NAME in found else IMAGE_PROCESSOR_NAME
    needed = [CONFIG_NAME, root, CARD, f"{PRETRAINING}/{IMAGE_PROCESSOR_NAME}"]
    needed += [f"{part}/{CONFIG_NAME}" for part in folders]
    missing = [name for name in needed if name not in found]
    for part in ("", *folders):
        missing += _unused_weights(folder / part, f"{part}/" if part else "", found)
    if missing:
        raise ValueError(
            f"{folder} is no repository of hf_ssl, it lacks {listed(missing)}: write one with hf-ssl pretrain, "
            "export or convert."
        )
    card = read_text_if_any(found[CARD])
    if problems := validate_card(card, allow_links):
        raise ValueError(f"The card {found[CARD]} is not sound: {' '.join(problems)}")
    require_harmless(found)
    for part in ("", *folders):
        _require_kind(folder / part / CONFIG_NAME, native=part != PRETRAINING)
    require_as_made(folder, found)
    return found


def _candidates(folder: Path, folders: Collection[str]) -> dict[str, Path]:
    found = {}
    for part in ("", *folders, FIGURES):
        inside = folder / part
        _require_no_link(folder, [inside] if part else [])
        for path in sorted(inside.iterdir()) if inside.is_dir() else ():
            name = f"{part}/{path.name}" if part else path.name
            if is_written_by_us(name, folders) or (not part and fnmatchcase(path.name, _LICENSES)):
                _require_no_link(folder, [path])
                if path.is_file():
                    found[name] = path
                elif is_written_by_us(name, folders) or not path.is_dir():  # LICENSES may be a folder
                    raise ValueError(f"{path} is no file: put the one that belongs there in its place, or remove it.")
            elif path.suffix in _RUN_CODE and not any(fnmatchcase(path.name, state) for state in _TRAINER_STATE):
                raise ValueError(
                    f"{path} could run code where it is loaded: weights are published as safetensors only. Remove it."
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


def _require_kind(path: Path, native: bool) -> None:
    content = read_json(path)
    kind = str(content["model_type"]) if "model_type" in content else None
    if kind is None:
        raise ValueError(f"{path} is no configuration of a model.")
    if kind.startswith("ssl_") is native:
        raise ValueError(
            f"{path} is of model_type {kind!r}, where a {'native encoder' if native else 'method of hf_ssl'} belongs: "
            "export the checkpoint again."
        )
