"""What is checked in the files of a local data set before the datasets library reads them."""

import os
import stat
import tarfile
from collections.abc import Iterator, Sequence

import pyarrow
import pyarrow.parquet
from huggingface_hub import DatasetCard

from ..checks.bounded_json import read_large_json
from .errors import DataError

ROWS_PER_BYTE, MOST_ROWS = 10, 10**6  # a table of more rows was made to fill a disk
_COMPRESSED = (".gz", ".bz2", ".xz", ".lzma", ".zst", ".lz4", ".br")
_STATE, _DICT = "state.json", "dataset_dict.json"


def check_tables(folder: str, tables: Sequence[str]) -> None:
    """
    Args:
        tables (`Sequence[str]`): Parquet, Arrow and tar files, relative to `folder`.

    Raises:
        DataError: if one of them is damaged at its very beginning, or was made to fill the memory or the disk.
    """
    for table in tables:
        path = os.path.join(folder, table)
        kind = os.path.splitext(table)[1].lower()
        try:
            if kind == ".parquet":
                check_parquet(path)
            elif kind == ".tar":
                _check_tar(path)
        except (OSError, ValueError, EOFError, tarfile.TarError, pyarrow.ArrowException) as error:
            if isinstance(error, DataError):
                raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
            raise DataError(f"{path} cannot be read ({reason}): make or download it again, or remove it.") from error


def check_parquet(path: str | os.PathLike) -> None:
    """
    Raises:
        DataError: if it claims to hold more rows than can be meant.
    """
    rows, size = pyarrow.parquet.read_metadata(path).num_rows, os.path.getsize(path)
    if rows > MOST_ROWS + ROWS_PER_BYTE * size:
        raise DataError(f"{path} claims to hold {rows} rows in {size} bytes, which cannot be meant: remove it.")


def _check_tar(path: str) -> None:
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            if member.issparse() or member.name.lower().endswith(_COMPRESSED):
                raise DataError(
                    f"{path} holds the sparse or compressed file {member.name!r}: pack its files as they are."
                )
        tar.fileobj.seek(tar.offset)
        if any(tar.fileobj.read(tarfile.BLOCKSIZE)):  # else it ends there, and what follows would be lost unnoticed
            raise ValueError(f"its part at byte {tar.offset} is damaged")


def check_saved(folder: str) -> None:
    """
    Of what `save_to_disk` wrote: that it names no files outside of its own folder.

    Raises:
        DataError: if it does, or cannot be read.
    """
    parts = [folder]
    if os.path.isfile(os.path.join(folder, _DICT)):
        splits = _json(os.path.join(folder, _DICT)).get("splits")
        parts = [os.path.join(folder, name) for name in _names(os.path.join(folder, _DICT), splits)]
    for part in parts:
        state = os.path.join(part, _STATE)
        entries = _json(state).get("_data_files")
        entries = entries if isinstance(entries, list) else [entries]
        files = [entry.get("filename") if isinstance(entry, dict) else None for entry in entries]
        for name in _names(state, files):
            path = os.path.join(part, name)
            try:
                regular = stat.S_ISREG(os.stat(path).st_mode)
            except OSError:
                regular = False
            if not regular:
                raise DataError(f"{state} names the file {name!r}, which is not there: make or download it again.")


def _json(path: str) -> dict:
    try:
        return read_large_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}): make or download it again.") from error


def _names(path: str, names) -> list[str]:
    for name in names if isinstance(names, list) else [None]:
        if not isinstance(name, str) or name in ("", ".", "..") or os.path.basename(name) != name or "\0" in name:
            raise DataError(f"{path} names {name!r}, which is no file of its own folder: make or download it again.")
    return names


def check_card(folder: str) -> None:
    """
    Of the card of a local data set, which may name the files to read: that they are files of the data set.

    Raises:
        DataError: if it names an address, or a path that leads out of the folder.
    """
    card = os.path.join(folder, "README.md")
    try:
        configurations = DatasetCard.load(card, ignore_metadata_errors=True).data.to_dict().get("configs")
    except Exception as error:  # YAML, encodings, nesting: the parsers raise unrelated types
        reason = " ".join(str(error).split())
        raise DataError(f"The data set card {card} cannot be read ({reason}): repair or remove it.") from error
    for text in _texts(configurations):
        if "://" in text or "::" in text or os.path.isabs(text) or os.pardir in text.split("/"):
            raise DataError(f"{card} names {text!r}, which is no file of its folder: remove that from the card.")


def _texts(value) -> Iterator[str]:
    pending, seen = [value], set()  # YAML may hold the same list many times over
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, (dict, list)) and id(value) not in seen:
            seen.add(id(value))
            pending += value.values() if isinstance(value, dict) else value
