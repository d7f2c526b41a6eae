"""What the columns of a table say of its images: labels and captions."""

import datasets
import pyarrow
import torch

from .captions import caption_of, find_caption_column
from .cells import to_list
from .classes import number_classes
from .errors import DataError
from .listing import counted


def raw_column(dataset: datasets.Dataset, column: str) -> datasets.Dataset:
    """
    One column as Arrow tables, so that nothing in it is ever decoded by the datasets library.

    Raises:
        DataError: if it is damaged, so that reading it might end the process.
    """
    raw = dataset.with_format("arrow").select_columns([column])
    try:
        raw.data.validate(full=True)
    except pyarrow.ArrowException as error:
        if "UTF8" not in str(error):  # a single value, which is then missing
            raise DataError(
                f"Column {column!r} of the data set is damaged ({str(error).splitlines()[0].rstrip('.')}): make or "
                "download it again."
            ) from error
    return raw


def label_value(row: dict, column: str):
    """The value of a column in one row, where `column` may be a field of a record (`json.label`)."""
    if column in row:
        return row[column]
    record, _, field = column.partition(".")
    record = row[record]
    return record.get(field) if isinstance(record, dict) else None


def read_labels(dataset: datasets.Dataset, column: str | None) -> tuple[torch.Tensor | None, list[str] | None]:
    """Labels, -1 where unknown, and the names of the classes; None and None without a column."""
    if column is None:
        return None, None
    record = column if column in dataset.column_names else column.partition(".")[0]
    feature = dataset.features[record]
    if isinstance(feature, datasets.Image):
        raise DataError(f"label_column={column!r} holds images, which name no class: name a column of classes.")
    values = to_list(raw_column(dataset, record)[:].column(0))
    if record != column:
        values = [label_value({record: value}, column) for value in values]
    if not isinstance(feature, datasets.ClassLabel):
        return number_classes(values, column)
    labels = torch.tensor([-1 if value is None else max(value, -1) for value in values])
    if labels.max() >= len(feature.names):
        raise DataError(
            f"label_column={column!r} holds {labels.max()}, beyond its {counted(len(feature.names), 'name')} of "
            "classes, which are numbered from 0: repair it."
        )
    return (None, None) if labels.max() < 0 else (labels, feature.names)  # a test split may keep its labels secret


def read_captions(dataset: datasets.Dataset, column: str | None, rows: list[int]) -> tuple[list[str | None], str]:
    """See `ImageDataset.read_captions`."""
    found = find_caption_column(dataset.column_names, column)
    values = to_list(raw_column(dataset, found)[:].column(0))
    return [caption_of(values[row]) for row in rows], f"column {found!r}"
