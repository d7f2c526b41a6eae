"""Checkpoint files from anywhere, read without trust."""

import argparse
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from ..utils.printing import printable
from .configs import checked_config
from .regular_files import UnreadableError, open_regular
from .repository_files import Where, pinned
from .weights import require_fitting, require_names, weight_files

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
    try:
        descriptor = open_regular(path)  # a file that is missing or locked is an `OSError`; any later one is damage
    except UnreadableError as error:
        raise ValueError(f"{path} is no checkpoint file: {error}.") from None
    size = os.fstat(descriptor).st_size
    os.close(descriptor)
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
    tensors = list(_tensors_in(checkpoint))
    if any(tensor.is_nested for tensor in tensors):
        raise ValueError(f"{path} holds nested tensors, which no model is made of: it is not loaded.")
    # A tensor can be a view of one number that claims to be a million.
    _require_no_bomb(path, sum(t.numel() * t.element_size() for t in tensors), size)
    return dict(checkpoint)


class _Bomb(ValueError):
    pass


def _require_no_bomb(path: Path, unpacked: int, size: int) -> None:
    if unpacked > _MAX_EXPANSION * size:
        raise _Bomb(
            f"{path} of {size} bytes would unpack to {unpacked}, more than {_MAX_EXPANSION} times its size: "
            "it is not loaded."
        )


@contextmanager
def clear_load_errors(place: str | Path) -> Iterator[None]:
    """What transformers and safetensors raise while weights are loaded, as one `ValueError`."""
    try:
        yield
    except (SafetensorError, RuntimeError, LookupError, TypeError, AttributeError, AssertionError) as error:
        reason = " ".join((str(error).strip().splitlines() or [type(error).__name__])[0].split())
        raise ValueError(f"The weights of {place} are damaged, or do not fit its config: {reason[:300]}") from None


@contextmanager
def without_load_report() -> Iterator[None]:
    """Let transformers load without its table of weights that are missing or left over, such as those of a head."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def require_own_weights(auto: type, repository: str | Path, arguments: dict[str, Any]) -> Where:
    """
    Refuse, before anything is built, a config or weights that would make `from_pretrained` leave a repository, run
    code or unpickle, that are out of bounds, or that do not fit each other.

    Args:
        auto (`type`): of the Auto classes, or the model class that will be loaded.
        repository (`str` or `Path`): id on the Hub, or folder.
        arguments (`dict`): those of `from_pretrained`.

    Returns:
        `dict`: those of them that say where, for the load: it then reads what was checked.

    Raises:
        ValueError: as in [`checked_config`], [`weight_files`] and [`require_fitting`].
        OSError: where there is nothing.
    """
    where = pinned(repository, arguments)
    _require_weights(auto, repository, checked_config(repository, where), where, arguments.get("variant"))
    return where


def load_own(
    load: Callable[..., Any], cls: type[PreTrainedModel], repository: str | Path, *positional: Any, **arguments: Any
) -> Any:
    """
    What `from_pretrained` of a method's class returns, with the checks of [`require_own_weights`].

    Args:
        load (`Callable`): the `from_pretrained` of transformers.
        cls (`type`): the class.
        repository (`str` or `Path`): id on the Hub, or folder: of the method, or of an encoder to start from.
        positional, arguments: those of `from_pretrained`.

    Raises:
        ValueError: as there, and for a checkpoint of the method whose tensors are missing or left over.
    """
    with_report = arguments.pop("output_loading_info", False)
    arguments = arguments | require_own_weights(cls, repository, arguments)
    with clear_load_errors(repository):
        model, report = load(repository, *positional, output_loading_info=True, **arguments)
    own = checked_config(repository, pinned(repository, arguments))
    if isinstance(own, cls.config_class):
        # The head of a classifier starts fresh.
        lost = [name for name in report["missing_keys"] if not name.startswith("classifier.")]
        if wrong := sorted({*lost, *report["unexpected_keys"]}):
            raise ValueError(f"The weights of {repository} are missing, or left over: {listed(wrong)}.")
    return (model, report) if with_report else model


def _require_weights(
    auto: type, repository: str | Path, config: PreTrainedConfig, where: Where, variant: str | None
) -> None:
    if issubclass(auto, PreTrainedModel) and not isinstance(config, auto.config_class):
        auto = AutoModel  # a method that starts from the weights of an encoder
    place = Path(repository, where.get("subfolder") or "")
    dtype = None if config.dtype is None else str(config.dtype).removeprefix("torch.")
    require_fitting(weight_files(repository, where, variant), auto, config, place, dtype)


def load_checked(auto: type, repository: str | Path, **arguments: Any) -> tuple[PreTrainedModel, list[str], list[str]]:
    """
    A model from safetensors, with nothing of its repository run, and the names of weights that do not fit.

    Args:
        auto (`type`): of the Auto classes, or a model class.
        repository (`str` or `Path`): id on the Hub, or folder.
        arguments: further arguments of `from_pretrained`, such as `subfolder`.

    Returns:
        `(PreTrainedModel, list[str], list[str])`: the model, what is missing, and what is left over.

    Raises:
        ValueError: for a config or weights that are damaged, do not fit each other, or as in `require_own_weights`.
        OSError: where there is nothing.
    """
    where = pinned(repository, arguments)
    place = Path(repository, where.get("subfolder") or "")
    config = arguments.pop("config", None) or checked_config(repository, where)
    safe = {"use_safetensors": True, "trust_remote_code": False, "output_loading_info": True}
    if not config.model_type.startswith("ssl_"):  # a method's class sees to it itself
        _require_weights(auto, repository, config, where, arguments.get("variant"))
    with clear_load_errors(place), without_load_report():  # what does not fit, callers say in one sentence
        model, info = auto.from_pretrained(repository, config=config, **arguments | where | safe)
    for name, stored, expected in sorted(info["mismatched_keys"]):
        raise ValueError(
            f"The weights of {place} do not fit its config.json: {name} has the shape {tuple(stored)} instead of "
            f"{tuple(expected)}."
        )
    left_over = sorted(info["unexpected_keys"])
    require_names(model, left_over, place)
    return model, sorted(info["missing_keys"]), left_over


def listed(names: list[str], shown: int = 10) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return printable(", ".join(names[:shown])) + more


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
