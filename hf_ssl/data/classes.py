"""From the values of a label column, of any type, to numbered classes."""

import math
from collections.abc import Iterable, Sequence

import torch

from .errors import DataError

LABEL_NAMES = ("label", "labels", "class", "category", "target", "cls")  # columns taken for labels, best first
UNKNOWN = ("", "-1")  # strings that stand for a missing label


def find_name(names: Iterable[str], usual: Sequence[str] = LABEL_NAMES) -> str | None:
    """The first of the `usual` names of a column that is among `names`, in any case."""
    lower = {name.lower(): name for name in reversed(list(names))}
    return next((lower[name] for name in usual if name in lower), None)


def number_classes(values: Sequence, column: str) -> tuple[torch.Tensor | None, list[str] | None]:
    """
    Number the different values of a column in sorted order.

    Args:
        values (`Sequence`): integers, strings, booleans, or floats that are whole numbers. None, NaN, the empty
            string and negative numbers mean that the class is not known.
        column (`str`): the name of the column, for messages.

    Returns:
        Labels, a LongTensor `(N,)` with -1 where the class is not known, and the names of the classes; None and None
        if no class is known at all.

    Raises:
        DataError: if a value names no class: a list, a measurement such as 0.37.
    """
    cleaned = [_clean(value, column) for value in values]
    classes = {value for value in cleaned if value is not None}
    try:
        order = sorted(classes, key=float)  # in a CSV file numbers are strings
    except (ValueError, OverflowError):
        order = sorted(classes, key=str)
    if not order:
        return None, None
    number = {value: i for i, value in enumerate(order)}
    labels = torch.tensor([number.get(value, -1) for value in cleaned], dtype=torch.long)
    return labels, [str(value) for value in order]


def _clean(value, column: str):
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return None if value.strip() in UNKNOWN else value
    if isinstance(value, (int, float)):
        if value < 0 or value != value:  # NaN
            return None
        if isinstance(value, int) or (math.isfinite(value) and value == int(value)):
            return int(value)
        what = f"the number {value:g}"
    else:
        what = f"a {type(value).__name__}"
    raise DataError(
        f"label_column={column!r} holds {what}, which names no class: give a column of whole numbers, strings or "
        "booleans."
    )
