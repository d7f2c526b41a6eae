"""Data sets of the `datasets` library, from the Hub, from disk or from memory."""

import difflib
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import datasets

from .cells import Cells, to_list
from .class_folders import TEST_NAMES, TRAIN_NAMES
from .classes import find_name
from .columns import raw_column, read_captions, read_labels
from .decoded import DecodedImages
from .errors import DataError
from .listing import printable
from .tables import check_card, check_saved, check_tables

# The splits as the datasets library calls them.
SPLIT_OF = dict.fromkeys(TRAIN_NAMES, "train") | dict.fromkeys(TEST_NAMES, "validation")
SPLIT_OF |= {"test": "test", "testing": "test"}
IMAGE_KEYS = ("image", "images", "img", "pixel_values", "jpg", "jpeg", "png", "webp")


class HubImages(DecodedImages):
    """
    The images of a `datasets.Dataset`. They are decoded by [`decode_image`], never by the datasets library, so a
    format or transform set on the data set plays no role.

    Args:
        dataset (`datasets.Dataset`).
        image_column (`str`, *optional*): by default the first column of type `datasets.Image`.
        label_column (`str`, *optional*): of type `ClassLabel`, integers, strings, booleans or whole numbers; a field
            of a column of records is written `json.label`. By default the `ClassLabel` column named `label`, or else
            the first one, or else a column with a usual name (label, class, category, target, cls).
        channels (`int`, *optional*, defaults to 3): 3 turns every image into RGB, 1 into grey.
        max_unreadable (`float`, *optional*): share of unreadable images that is accepted, see [`DecodedImages`].
        folders (`list[str]`, *optional*): where the files may lie that cells name, see [`Cells`].

    Raises:
        DataError: if a column does not exist or is damaged, or there is no image column.
    """

    def __init__(
        self,
        dataset: datasets.Dataset,
        image_column: str | None = None,
        label_column: str | None = None,
        *,
        channels: int = 3,
        max_unreadable: float | None = None,
        folders: Sequence[str] | None = None,
    ):
        self.image_column = find_image_column(dataset, image_column, self)
        self.label_column = find_label_column(dataset, label_column)
        if not len(dataset):
            raise DataError("The data set has no rows: give another split.")
        self._dataset = dataset
        self._table = raw_column(dataset, self.image_column)
        self._cell = Cells(dataset, folders)
        labels, label_names = read_labels(dataset, self.label_column)
        if label_column is None and label_names is not None and len(label_names) == len(dataset):
            labels = label_names = self.label_column = None  # another text for every image is no class
        place = dataset.info.dataset_name or "the data set"
        super().__init__(
            len(dataset), labels, label_names, channels=channels, max_unreadable=max_unreadable, place=place
        )

    columns, column_type = IMAGE_KEYS, "datasets.Image"  # usual names of the column, and what it is

    @classmethod
    def holds_samples(cls, feature) -> bool:
        return isinstance(feature, datasets.Image)

    def read_captions(self, column: str | None) -> tuple[list[str | None], str]:
        return read_captions(self._dataset, column, self._rows.tolist())

    def _cells(self, rows: list[int]) -> list:
        return to_list(self._table[rows].column(0))

    def _image(self, row: int, cell) -> tuple:
        return self._cell(cell), None

    def _name(self, row: int) -> str:
        cell = self._cells([row])[0]
        path = cell.get("path") if isinstance(cell, dict) else None
        return f"row {row}" + (f" ({printable(os.path.basename(path))})" if isinstance(path, str) else "")


def find_image_column(
    dataset: datasets.Dataset | datasets.IterableDataset, name: str | None, kind: type["HubImages"] | None = None
) -> str:
    """The column that holds the samples: `name`, or the first of their type, or files under a usual name."""
    kind = HubImages if kind is None else kind
    columns = list(dataset.column_names or [])
    if name is not None:
        if columns and name not in columns:
            raise DataError(f"image_column={name!r} does not exist: the columns are {', '.join(columns)}.")
        return name
    features = dataset.features or {}
    for column, feature in features.items():
        if kind.holds_samples(feature):
            return column
    for column in kind.columns:
        if column in features and _holds_files(features[column]):
            return column
    known = f"the columns are {', '.join(columns)}" if columns else "its columns are not known before it is read"
    raise DataError(
        f"No column has the type {kind.column_type} ({known}): name the one with {kind.noun}s in image_column."
    )


def find_label_column(
    dataset: datasets.Dataset | datasets.IterableDataset, name: str | None, integers_only: bool = False
) -> str | None:
    """
    The column that holds the labels: `name`, or the `ClassLabel` named label(s), or the first one, or a usual name.

    Args:
        integers_only (`bool`, *optional*, defaults to `False`): take no other type of value by the name of its column.
    """
    columns = list(dataset.column_names or [])
    features = _scalars(dataset.features or {})
    if name is not None:
        if columns and name not in columns and name not in features:
            raise DataError(f"label_column={name!r} does not exist: the columns are {', '.join(columns)}.")
        return name
    found = [column for column, feature in features.items() if isinstance(feature, datasets.ClassLabel)]
    if found:
        return next((column for column in found if column in ("label", "labels")), found[0])
    kinds = ("int", "uint") if integers_only else ("int", "uint", "string", "large_string", "bool")
    names = {
        column.rpartition(".")[2]: column for column, feature in features.items() if feature.dtype.startswith(kinds)
    }
    return names.get(find_name(names))


@dataclass
class HubSplits:
    """
    Attributes:
        train_name (`str`), train: the split to train on.
        tests (`dict`): the splits that can be tested on, by name, best first.
        asked (`bool`): the user named the one in `tests`.
    """

    train_name: str
    train: "datasets.Dataset | datasets.IterableDataset"
    tests: dict
    asked: bool = False


def load_hub(
    name: str, *, split: str | None, test_split: str | None, streaming: bool, tables: Sequence[str] = ()
) -> HubSplits:
    """
    The raw splits of a data set that `datasets.load_dataset` or `load_from_disk` can read.

    Args:
        name (`str`): a Hub id, with `:configuration` after it if it has several, or a local folder.
        split, test_split (`str`, *optional*): by default `train` (or the only split), and `test` or `validation`.
        tables (`Sequence[str]`, *optional*): the files to read in a local folder that is no clone of a Hub repository
            with a card; the names of files and folders tell the splits.

    Raises:
        DataError: if it cannot be loaded, or a split does not exist or is named twice.
    """
    if split is not None and split == test_split:
        raise DataError(f"split and test_split are both {split!r}: name another split to test on.")
    path, configuration = (name, None) if os.path.isdir(name) else _configuration(name)
    files, is_local = {}, os.path.isdir(name)
    if is_local:
        check_tables(name, tables)
    if is_local and is_saved(name):
        check_saved(name)
    elif os.path.isfile(os.path.join(name, "README.md")):  # it may name the files of each split
        check_card(name)
    elif tables:
        path, files = _builder_and_files(name, tables)
    load = partial(datasets.load_dataset, path, configuration, streaming=streaming, **files)
    try:
        if is_local and is_saved(name):
            found = datasets.load_from_disk(name)
            found = found if isinstance(found, dict) else {"train": found}
        elif split is not None and (test_split is not None or "[" in split):
            # Only what was asked for is downloaded; slices such as "train[:10%]" work too.
            asked = {s: load(split=s) for s in (split, test_split) if s is not None}
            train = asked.pop(split)
            return HubSplits(split, train, asked, asked=True)
        else:
            found = load()
    except Exception as error:  # the Hub client, the builders and the network raise unrelated types
        cause = error.__cause__ or error  # a builder wraps what it met with
        first = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        hint = (
            "check the files in this folder"
            if is_local
            else "it is neither built in nor an existing folder, so check the Hub id (a configuration is written "
            "'id:configuration'), the network and, for a private data set, `hf auth login`"
        )
        folders = [] if is_local else [entry.name for entry in os.scandir() if entry.is_dir()]
        meant = "".join(f" Did you mean {near!r}?" for near in difflib.get_close_matches(name, folders, n=1))
        raise DataError(f"{name!r} cannot be loaded ({first.rstrip('.')}): {hint}.{meant}") from error
    for argument, value in (("split", split), ("test_split", test_split)):
        if value is not None and value not in found:
            raise DataError(f"{argument}={value!r} is no split of {name!r}: it has {', '.join(found)}.")
    lower = {s.lower(): s for s in found}
    usual = [lower[s] for s in TRAIN_NAMES if s in lower]
    others = [s for s in found if s.lower() not in TEST_NAMES and s != test_split]
    split = split or next(iter([*usual, *others, *(s for s in found if s != test_split)]), None)
    if split is None:
        raise DataError(f"{test_split!r} is the only split of {name!r}: nothing is left to train on.")
    tests = [test_split] if test_split else [lower[s] for s in TEST_NAMES if s in lower and lower[s] != split]
    return HubSplits(split, found[split], {s: found[s] for s in tests}, asked=test_split is not None)


def _builder_and_files(folder: str, tables: Sequence[str]) -> tuple[str, dict]:
    """The builder for the most frequent kind of table, and its files by split, in any case and at any depth."""
    kind = Counter(os.path.splitext(table)[1].lower() for table in tables).most_common(1)[0][0]
    files: dict[str, list[str]] = {}
    for table in tables:
        if table.lower().endswith(kind):
            words = [word for word in re.findall("[a-z]+", table.lower()) if word in SPLIT_OF]
            files.setdefault(SPLIT_OF[words[-1]] if words else "train", []).append(os.path.join(folder, table))
    return {".tar": "webdataset"}.get(kind, kind[1:]), {"data_files": files}


def _configuration(name: str) -> tuple[str, str | None]:
    path, _, configuration = name.partition(":")
    return path, configuration or None


def is_saved(folder: str | os.PathLike) -> bool:
    """Whether `folder` was written by `save_to_disk`."""
    return any(os.path.isfile(os.path.join(folder, file)) for file in ("dataset_dict.json", "state.json"))


def _holds_files(feature) -> bool:
    """Whether a column holds bytes, or records of bytes and a path, as tables made without `datasets` do."""
    if isinstance(feature, dict):
        return "bytes" in feature
    return isinstance(feature, datasets.Value) and feature.dtype in ("binary", "large_binary")


def _scalars(features: dict) -> dict:
    """The columns of single values, and the fields of records as `column.field`, with their types."""
    found = {}
    for column, feature in features.items():
        fields = {f"{column}.{k}": v for k, v in feature.items()} if isinstance(feature, dict) else {column: feature}
        found |= {k: v for k, v in fields.items() if isinstance(v, (datasets.Value, datasets.ClassLabel))}
    return found
