"""Files that are written whole or not at all, their hashes, and the lock of a folder."""

import errno
import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

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
        sync_folder(path.parent)
    except OSError as error:  # one of a full disk names no file
        raise type(error)(error.errno, error.strerror, str(path)) from None
    finally:
        part.unlink(missing_ok=True)


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


def sync_tree(folder: Path) -> None:
    """Have every file and folder below `folder`, and itself, on the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        elif path.is_dir():
            sync_folder(path)
    sync_folder(folder)


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
    processes that it forked, such as workers of a data loader, do not hold it. Without effect on Windows, and on file
    systems that know no locks.

    Args:
        folder (`Path`): must exist.

    Raises:
        ValueError: when another process holds it, which the message names.
    """

    def __init__(self, folder: Path):
        self._path, self._file = folder / LOCK, None
        while fcntl is not None and self._file is None:
            file = self._path.open("a+", encoding="utf-8")
            self._take(file, folder)
            # Whoever held it may have removed the file between the two lines: then somebody else has another one.
            self._file = file if _is_at(self._path, file.fileno()) else file.close()
        if self._file is not None:
            self._file.truncate(0)
            self._file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            self._file.flush()

    @staticmethod
    def _take(file: TextIO, folder: Path) -> None:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP):
                return
            file.seek(0)
            holder = file.read().strip() or "another process"
            file.close()
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            raise ValueError(
                f"{folder} is in use by {holder}: wait until that has ended, stop it, or choose another folder."
            ) from None

    def release(self) -> None:
        """Give the lock back, and remove its file."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            self._file.close()
            self._file = None


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """
    Hold the [`FolderLock`] of a folder, which is made where there is none; if nothing is in it afterwards, it goes.

    Raises:
        ValueError: when another process holds it.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(folder)
    try:
        yield
    finally:
        lock.release()
        for path in made:
            with suppress(OSError):  # something is in it
                path.rmdir()
