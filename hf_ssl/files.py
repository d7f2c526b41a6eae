"""Files that are written whole or not at all, their hashes, and the lock of a folder."""

import errno
import hashlib
import json
import os
import socket
from pathlib import Path
from typing import Any

from .redaction import redacted

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK = ".hf_ssl.lock"


def write_text(path: Path, text: str) -> None:
    """Write a text file: after a crash at any moment, `path` holds the old text or the new one."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """The same for JSON; what is not JSON is written as its text, and tokens and passwords as `***`."""
    write_text(path, redacted(json.dumps(value, indent=2, default=str)) + "\n")


def sync_folder(folder: Path) -> None:
    """Have the names in `folder` on the disk: what was renamed or removed in it stays so after a power cut."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class FolderLock:
    """
    One process at a time writes to a folder. The system gives the lock back when the process ends, however it ends;
    processes that it forked, such as workers of a data loader, do not hold it. Without effect on Windows.

    Args:
        folder (`Path`): must exist.

    Raises:
        ValueError: when another process holds it, which the message names.
    """

    def __init__(self, folder: Path):
        self._file = (folder / LOCK).open("a+", encoding="utf-8")
        try:
            if fcntl is not None:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            self._file.seek(0)
            holder = self._file.read().strip() or "another process"
            self._file.close()
            raise ValueError(
                f"{folder} is in use by {holder}: wait until that has ended, stop it, or choose another folder."
            ) from None
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        self._file.flush()

    def release(self) -> None:
        """Give the lock back; its file stays, for removing it would let two processes lock two files of one name."""
        self._file.close()
