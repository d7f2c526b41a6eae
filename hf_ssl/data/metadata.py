"""The Hub's convention for folders of images: a table `metadata.csv`, `.jsonl` or `.parquet` beside the images."""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

import pyarrow
import pyarrow.parquet

from ..checks.regular_files import open_regular
from .cells import to_list
from .classes import LABEL_NAMES, find_name
from .errors import DataError
from .listing import Listing, printable
from .tables import check_parquet

FILE_NAME = "file_name"
LONGEST_LINE = 2**22  # characters
MOST_COLUMNS = 10_000
NAMES_SHOWN = 20


def metadata_values(
    root: Path,
    listing: Listing,
    column: str | None,
    usual: Sequence[str] = LABEL_NAMES,
    argument: str = "label_column",
) -> tuple[dict[str, object], str] | None:
    """
    A value for each file, such as its label or its caption, as the tables below `root` give it.

    Args:
        listing (`Listing`): of `root`; its `metadata` are read, and what they name in vain is added to `left_out`.
        column (`str`, *optional*): by default the first column with one of the `usual` names.
        usual (`Sequence[str]`, *optional*): best first; by default those of labels.
        argument (`str`, *optional*): what the caller's user knows `column` by, for messages.

    Returns:
        The value by file, relative to `root`, and the name of the column; None where there is no table, or none with
        such a column.

    Raises:
        DataError: if a table cannot be read, has no column `file_name`, names a file outside of its folder, or if no
            table has the column asked for.
    """
    values, used, columns = {}, None, {}
    files = {os.fsdecode(file) for file in listing.files}
    for table in listing.metadata:
        names, found, rows = _read(root / table, column, usual)
        columns.update(dict.fromkeys(names))
        if rows and FILE_NAME not in names:
            raise DataError(f"{root / table} has no column {FILE_NAME!r} (it has {_some(names)}): add it.")
        if found is None:
            continue
        used = used or found
        for name, value in rows:
            file = _within(root, table, name)
            if file in files:
                values[file] = value
            else:
                listing.leave_out(f"named in {table}, but not there", os.path.basename(file))
    if column is not None and used is None:
        if not listing.metadata:
            instead = "; class folders are chosen with label_level" if argument == "label_column" else ""
            raise DataError(
                f"{argument}={column!r} means nothing for {root}: it holds no metadata.csv, metadata.jsonl or "
                f"metadata.parquet with a column file_name{instead}."
            )
        known = _some([name for name in columns if name != FILE_NAME])
        raise DataError(
            f"{argument}={column!r} does not exist in {', '.join(listing.metadata)} of {root}: the columns "
            f"are {known}."
        )
    return None if used is None else (values, used)


def _some(names: list[str]) -> str:
    return ", ".join(map(printable, names[:NAMES_SHOWN])) + (", …" if len(names) > NAMES_SHOWN else "") or "none"


def _read(file: Path, asked: str | None, usual: Sequence[str]) -> tuple[list[str], str | None, list[tuple]]:
    """The names of the columns, the one to read, and of every row the name of its file and the value."""
    try:
        if file.suffix.lower() == ".parquet":
            names, column, rows = _read_parquet(file, asked, usual)
        else:
            with open(open_regular(file), encoding="utf-8-sig", newline="") as opened:
                read = _read_csv if file.suffix.lower() == ".csv" else _read_jsonl
                names, column, rows = read(_lines(opened), asked, usual)
        if any(isinstance(value, dict | list) for _, value in rows):
            raise ValueError(f"{column!r} holds lists or tables, and not one value for each file")
        return names, column, rows
    except (OSError, ValueError, RecursionError, csv.Error, pyarrow.ArrowException) as error:
        if isinstance(error, DataError):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise DataError(f"{file} cannot be read ({reason}): repair or remove it.") from error


def _column(names: Sequence[str], asked: str | None, usual: Sequence[str]) -> str | None:
    if len(names) > MOST_COLUMNS:
        raise ValueError(f"it has more than {MOST_COLUMNS} columns")
    if asked is None:
        return find_name(names, usual)
    return asked if asked in names else None


def _read_csv(
    lines: Iterable[str], asked: str | None, usual: Sequence[str]
) -> tuple[list[str], str | None, list[tuple]]:
    rows = csv.reader(lines)
    names = next(filter(None, rows), [])
    column = _column(names, asked, usual)
    places = [names.index(name) if name in names else None for name in (FILE_NAME, column)]
    # A row may be shorter or longer than the first one.
    picked = [tuple(None if i is None or i >= len(row) else row[i] for i in places) for row in rows if row]
    return names, column, picked


def _read_jsonl(
    lines: Iterable[str], asked: str | None, usual: Sequence[str]
) -> tuple[list[str], str | None, list[tuple]]:
    names: dict[str, None] = {}
    kept = []
    wanted = {FILE_NAME, asked}
    for line in filter(str.strip, lines):
        row = json.loads(line)
        if not isinstance(row, dict):
            raise ValueError(f"every line has to be one JSON object with {FILE_NAME!r}")
        names.update(dict.fromkeys(row))
        if len(names) > MOST_COLUMNS:
            raise ValueError(f"it has more than {MOST_COLUMNS} columns")
        kept.append({k: v for k, v in row.items() if k in wanted or k.lower() in usual})
    column = _column(list(names), asked, usual)
    return list(names), column, [(row.get(FILE_NAME), row.get(column)) for row in kept]


def _read_parquet(file: Path, asked: str | None, usual: Sequence[str]) -> tuple[list[str], str | None, list[tuple]]:
    check_parquet(file)
    with pyarrow.parquet.ParquetFile(file) as opened:
        names = opened.schema_arrow.names
        column = _column(names, asked, usual)
        wanted = [name for name in (FILE_NAME, column) if name in names]
        table = opened.read(columns=wanted)
    values = [to_list(table[name]) if name in wanted else [None] * len(table) for name in (FILE_NAME, column)]
    return names, column, list(zip(*values, strict=True))


def _lines(opened: TextIO) -> Iterator[str]:
    while line := opened.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise ValueError(f"it has a line of more than {LONGEST_LINE} characters")
        yield line


def _within(root: Path, table: str, name) -> str:
    """The file that a row names, relative to `root`."""
    if not isinstance(name, str) or not name:
        raise DataError(f"{root / table} has a row without a {FILE_NAME}: give every row the name of its image.")
    folder = os.path.dirname(table)
    inside = os.path.normpath(name)
    if os.path.isabs(name) or inside.split(os.sep)[0] == os.pardir:
        raise DataError(
            f"{root / table} names the file {name!r}, which is outside of its folder: give names relative to it."
        )
    return os.path.join(folder, inside)
