"""Data sets of the `datasets` library, from the Hub, from disk or from memory."""

import os
from collections.abc import Sequence

import datasets
import torch

from .base import DecodedImages
from .errors import DataError

TEST_SPLITS = ("test", "validation", "valid", "val")


class HubImages(DecodedImages):
    """
    The images of a `datasets.Dataset`. They are decoded by [`decode_image`], so a format or transform set on the data
    set plays no role.

    Args:
        dataset (`datasets.Dataset`).
        image_column (`str`, *optional*): by default the first column of type `datasets.Image`.
        label_column (`str`, *optional*): by default the `ClassLabel` column named `label`, or else the first one.
            Named explicitly, it may also hold integers, strings or booleans.
        channels (`int`, *optional*, defaults to 3): 3 turns every image into RGB, 1 into grey.
        max_unreadable (`float`, *optional*, defaults to 0.1): share of unreadable images that is accepted.

    Raises:
        DataError: if a column does not exist or there is no image column.
    """

    def __init__(
        self,
        dataset: datasets.Dataset,
        image_column: str | None = None,
        label_column: str | None = None,
        *,
        channels: int = 3,
        max_unreadable: float = 0.1,
    ):
        self.image_column = find_image_column(dataset, image_column)
        self.label_column = find_label_column(dataset, label_column)
        if not len(dataset):
            raise DataError("The data set has no rows: give another split.")
        labels, label_names = _labels(dataset, self.label_column)
        place = dataset.info.dataset_name or "the data set"
        super().__init__(
            len(dataset), labels, label_names, channels=channels, max_unreadable=max_unreadable, place=place
        )
        self._rows = undecoded(dataset.with_format(None).select_columns([self.image_column]), self.image_column)

    def subset(self, indices: Sequence[int]) -> "HubImages":
        picked = self._picked(indices)
        picked._rows = self._rows.select(indices)
        picked._forget(len(picked._rows))
        return picked

    def _cells(self, indices: list[int]) -> list:
        return [image_cell(cell) for cell in self._rows[indices][self.image_column]]

    def _name(self, index: int) -> str:
        cell = self._rows[index][self.image_column]
        path = cell.get("path") if isinstance(cell, dict) else None
        return f"row {index}" + (f" ({os.path.basename(path)})" if path else "")


def find_image_column(dataset: datasets.Dataset | datasets.IterableDataset, name: str | None) -> str:
    """The column that holds the images: `name` if given, else the first one of type `datasets.Image`."""
    columns = _columns(dataset)
    if name is not None:
        if columns and name not in columns:
            raise DataError(f"image_column={name!r} does not exist: the columns are {', '.join(columns)}.")
        return name
    for column, feature in (dataset.features or {}).items():
        if isinstance(feature, datasets.Image):
            return column
    known = f"the columns are {', '.join(columns)}" if columns else "its columns are not known before it is read"
    raise DataError(f"No column has the type datasets.Image ({known}): name the one with images in image_column.")


def find_label_column(dataset: datasets.Dataset | datasets.IterableDataset, name: str | None) -> str | None:
    """The column that holds the labels: `name` if given, else the `ClassLabel` named label(s), else the first one."""
    columns = _columns(dataset)
    if name is not None:
        if columns and name not in columns:
            raise DataError(f"label_column={name!r} does not exist: the columns are {', '.join(columns)}.")
        return name
    found = [c for c, feature in (dataset.features or {}).items() if isinstance(feature, datasets.ClassLabel)]
    return next((column for column in found if column in ("label", "labels")), found[0] if found else None)


def image_cell(cell):
    """What `decode_image` can read: a file of a remote data set is fetched, a list becomes an array."""
    if isinstance(cell, list):
        return torch.tensor(cell).numpy()
    if isinstance(cell, dict) and cell.get("bytes") is None and "://" in (cell.get("path") or ""):
        return datasets.Image().decode_example(cell)
    return cell


def load_hub(name: str, *, split: str | None, test_split: str | None, streaming: bool) -> tuple:
    """
    The raw training and test splits of a data set that `datasets.load_dataset` or `load_from_disk` can read.

    Args:
        name (`str`): a Hub id, with `:configuration` after it if it has several, or a local folder.
        split, test_split (`str`, *optional*): by default `train` (or the only split), and `test` or `validation`.

    Raises:
        DataError: if it cannot be loaded, or a split does not exist.
    """
    path, configuration = (name, None) if os.path.isdir(name) else _configuration(name)
    try:
        if os.path.isdir(path) and is_saved(path):
            found = datasets.load_from_disk(path)
            found = found if isinstance(found, dict) else {"train": found}
        elif split is not None and (test_split is not None or "[" in split):
            # Only what was asked for is downloaded; slices such as "train[:10%]" work too.
            asked = {s: datasets.load_dataset(path, configuration, split=s, streaming=streaming)
                     for s in (split, test_split) if s is not None}  # fmt: skip
            return asked[split], asked.get(test_split)
        else:
            found = datasets.load_dataset(path, configuration, streaming=streaming)
    except Exception as error:  # the Hub client, the builders and the network raise unrelated types
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        hint = (
            "check the files in this folder"
            if os.path.isdir(path)
            else "it is neither built in nor an existing folder, so check the Hub id (a configuration is written "
            "'id:configuration'), the network and, for a private data set, `hf auth login`"
        )
        raise DataError(f"{name!r} cannot be loaded ({first.rstrip('.')}): {hint}.") from error
    for argument, value in (("split", split), ("test_split", test_split)):
        if value is not None and value not in found:
            raise DataError(f"{argument}={value!r} is no split of {name!r}: it has {', '.join(found)}.")
    if split is None:
        split = "train" if "train" in found else next((s for s in found if s not in TEST_SPLITS), next(iter(found)))
    if test_split is None:
        test_split = next((s for s in TEST_SPLITS if s in found and s != split), None)
    return found[split], None if test_split is None else found[test_split]


def _configuration(name: str) -> tuple[str, str | None]:
    path, _, configuration = name.partition(":")
    return path, configuration or None


def is_saved(folder: str | os.PathLike) -> bool:
    """Whether `folder` was written by `save_to_disk`."""
    return any(os.path.isfile(os.path.join(folder, file)) for file in ("dataset_dict.json", "state.json"))


def _columns(dataset) -> list[str]:
    return list(dataset.column_names or [])


def undecoded(dataset, image_column: str):
    """The same data set with files instead of PIL images in `image_column`, where it has that type."""
    if dataset.features is not None and isinstance(dataset.features[image_column], datasets.Image):
        return dataset.cast_column(image_column, datasets.Image(decode=False))
    return dataset


def _labels(dataset: datasets.Dataset, column: str | None) -> tuple[torch.Tensor | None, list[str] | None]:
    if column is None:
        return None, None
    feature = dataset.features[column]
    values = dataset.with_format(None).select_columns([column])[:][column]
    if isinstance(feature, datasets.ClassLabel):
        names = feature.names
        labels = [-1 if value is None else value for value in values]
        if max(labels) < 0:  # a test split whose labels are kept secret
            return None, None
        return torch.tensor(labels), names
    try:
        classes = sorted({value for value in values if value is not None})
        number = {value: i for i, value in enumerate(classes)}
    except TypeError as error:
        raise DataError(f"label_column={column!r} holds {feature}: name a column of classes.") from error
    if not all(isinstance(value, (int, str)) for value in classes):
        raise DataError(f"label_column={column!r} holds {feature}: name a column of integers, strings or classes.")
    return torch.tensor([number.get(value, -1) for value in values]), [str(value) for value in classes]
