"""Files that somebody else may have put there: regular ones only, and no more of them than expected."""

import os
import stat
from pathlib import Path


class UnreadableError(ValueError):
    """Why a file is not read, as a clause about it: "it is a pipe"."""


def open_regular(path: str | os.PathLike) -> int:
    """
    The descriptor of a regular file, opened to read. Links are followed.

    Raises:
        OSError: if it cannot be opened.
        UnreadableError: if it is something else, which might keep the reader waiting for ever.
    """
    if b"\0" in os.fsencode(path):
        raise UnreadableError("its name holds a zero byte")
    # Opening a pipe would wait for its other end; Windows has no such pipes, and would translate line ends.
    descriptor = os.open(path, os.O_RDONLY | (os.O_NONBLOCK if os.name == "posix" else os.O_BINARY))
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise UnreadableError("it is a folder" if stat.S_ISDIR(mode) else "it is a pipe, socket or device")


def read_regular(path: str | os.PathLike, megabytes: int) -> bytes:
    """
    What is in a regular file of at most so many MB.

    Raises:
        ValueError: for a larger one, and for what is none.
        OSError: where there is nothing, or nothing that may be read.
    """
    try:
        descriptor = open_regular(path)
    except UnreadableError as error:
        raise ValueError(f"{path} is no file: {error}.") from None
    with open(descriptor, "rb") as stream:
        content = stream.read((megabytes << 20) + 1)
    if len(content) > megabytes << 20:
        raise ValueError(f"{path} is larger than {megabytes} MB: it is not read.")
    return content


def read_text_if_any(path: Path, megabytes: int = 8) -> str | None:
    """
    The UTF-8 text in a file, with the line ends that it has; `None` where there is nothing of that name.

    Raises:
        ValueError: as in [`read_regular`], for a link to nothing, and for what is no UTF-8.
        OSError: where it may not be read.
    """
    if not os.path.lexists(path):
        return None
    try:
        return read_regular(path, megabytes).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text in UTF-8: save it as that.") from None
    except FileNotFoundError:
        raise ValueError(f"{path} is a link to nothing: remove it.") from None
