"""The Hub's convention for folders of images: a table `metadata.csv`, `.jsonl` or `.parquet` beside the images."""

import csv
import json
import os
from pathlib import Path

import pyarrow
import pyarrow.parquet

from .classes import find_label_name
from .errors import DataError
from .listing import Listing

FILE_NAME = "file_name"


def metadata_labels(root: Path, listing: Listing, label_column: str | None) -> tuple[dict[str, object], str] | None:
    """
    The labels that the tables below `root` give.

    Args:
        listing (`Listing`): of `root`; its `metadata` are read, and what they name in vain is added to `left_out`.
        label_column (`str`, *optional*): by default the first column with a usual name (label, class, category, …).

    Returns:
        The value of the label column by file, relative to `root`, and the name of the column; None where there is no
        table, or none with such a column.

    Raises:
        DataError: if a table cannot be read, has no column `file_name`, names a file outside of its folder, or if no
            table has the column asked for.
    """
    values, used, columns = {}, None, []
    files = {os.fsdecode(file) for file in listing.files}
    for table in listing.metadata:
        rows = _read(root / table)
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns += [name for name in names if name not in columns]
        if rows and FILE_NAME not in names:
            raise DataError(f"{root / table} has no column {FILE_NAME!r} (it has {', '.join(names)}): add it.")
        column = label_column if label_column in names else None if label_column else find_label_name(names)
        if column is None:
            continue
        used = used or column
        for row in rows:
            file = _within(root, table, row.get(FILE_NAME))
            if file in files:
                values[file] = row.get(column)
            else:
                listing.leave_out(f"named in {table}, but not there", os.path.basename(file))
    if label_column is not None and used is None:
        if not listing.metadata:
            raise DataError(
                f"label_column={label_column!r} means nothing for {root}: it holds no metadata.csv, metadata.jsonl or "
                "metadata.parquet with a column file_name; class folders are chosen with label_level."
            )
        known = ", ".join(name for name in columns if name != FILE_NAME) or "none"
        raise DataError(
            f"label_column={label_column!r} does not exist in {', '.join(listing.metadata)} of {root}: the columns "
            f"are {known}."
        )
    return None if used is None else (values, used)


def _read(file: Path) -> list[dict]:
    try:
        if file.suffix.lower() == ".parquet":
            return pyarrow.parquet.read_table(file).to_pylist()
        with open(file, encoding="utf-8-sig", newline="") as opened:
            if file.suffix.lower() == ".csv":
                # Cells beyond the last column come under the key None.
                return [{k: v for k, v in row.items() if k is not None} for row in csv.DictReader(opened)]
            rows = [json.loads(line) for line in opened if line.strip()]
    except (OSError, ValueError, csv.Error, pyarrow.ArrowException) as error:
        raise DataError(f"{file} cannot be read ({str(error).splitlines()[0]}): repair or remove it.") from error
    if not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{file} cannot be read: every line has to be one JSON object with {FILE_NAME!r}.")
    return rows


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
