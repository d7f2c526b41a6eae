"""One kind of error for files that cannot be written, whatever library tried."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

_OF_TORCH = re.compile(
    r"PytorchStreamWriter|inline_container|Parent directory|open file failed|unexpected pos|iostream"
)
_BLOCK = bytes(1 << 20)


@contextmanager
def writing_to(folder: Path, needed: Callable[[], int]) -> Iterator[None]:
    """
    Turn what torch and safetensors raise when they cannot write into an `OSError` whose text is the reason.

    Args:
        folder (`Path`): that is written to.
        needed (callable): gives the bytes of what is written; torch does not say why it failed, so that is tried out.
    """
    try:
        yield
    except OSError as error:
        raise OSError(error.strerror or str(error)) from error
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(os.strerror(int(number[1])) if number else str(error)) from error
    except RuntimeError as error:
        if not _OF_TORCH.search(str(error)):
            raise
        raise OSError(_what_fails(folder, needed()) or str(error).splitlines()[0]) from error


def _what_fails(folder: Path, size: int) -> str | None:
    """Why a file of `size` bytes cannot be written into `folder`; `None` where it can."""
    path = folder / "probe"
    try:
        with path.open("wb") as file:
            for _ in range(size // len(_BLOCK) + 1):
                file.write(_BLOCK)
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
    except OSError as error:
        return error.strerror
    return None


def tensors_of(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in dictionaries, lists and tuples."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tensors_of(part)
