"""From a cell of a table to an image: what is in the cell, or a file inside the data set, and nothing else."""

import os
import re
from collections.abc import Sequence

import datasets
import numpy as np
import pyarrow
from huggingface_hub import constants

from ..checks.regular_files import UnreadableError
from .opening import LARGEST_READ

# Builders whose cells hold names that the user gave: those of the files in his folder, or what his own function made.
_OWN_NAMES = ("imagefolder", "generator")
_ON_THE_HUB = re.compile(r"(?:zip://[^:]+::)?hf://datasets/(?:[^/@]+/)?([^/@]+)(?:@[^/]+)?/[^:]+")


class Cells:
    """
    What [`decode_image`] takes, for the cells of an image column.

    A path leads to a file inside the data set, after all links; or, in a data set that was made in this process, to
    any file. Addresses are not fetched, except those of the files of a data set that is streamed from the Hub.

    Args:
        dataset (`datasets.Dataset` or `datasets.IterableDataset`).
        folders (`Sequence[str]`, *optional*): where its files may lie, beside the caches of the datasets library.
            Relative paths start at the first. By default found from the data set.
    """

    def __init__(self, dataset: datasets.Dataset | datasets.IterableDataset, folders: Sequence[str] | None = None):
        self.hub_name = None
        if isinstance(dataset, datasets.IterableDataset):
            self.hub_name = dataset.info.dataset_name
        if folders is None:
            folders = _folders_of(dataset)
        self.folders = None
        if folders is not None:
            config = datasets.config
            caches = (constants.HF_HUB_CACHE, config.HF_DATASETS_CACHE, config.DOWNLOADED_DATASETS_PATH)
            self.folders = [os.path.realpath(folder) for folder in (*folders, *caches)]

    def __call__(self, cell):
        """
        Raises:
            UnreadableError: if there is nothing in the cell, or a path that leads out of the data set.
        """
        if isinstance(cell, list):
            return _array(cell)
        if isinstance(cell, dict):
            if cell.get("bytes") is not None:
                return cell["bytes"]
            cell = cell.get("path")
        if cell is None:
            raise UnreadableError("the cell is empty")
        return self._file(cell) if isinstance(cell, str) else cell

    def _file(self, path: str) -> str | bytes:
        if "://" in path or "::" in path:
            return self._fetched(path)
        if self.folders is None:
            return path
        real = os.path.realpath(os.path.join(self.folders[0], path.replace("\0", "")))
        inside = any(real.startswith(os.path.join(folder, "")) for folder in self.folders)
        if not inside or os.pardir in path.split(os.sep):
            raise UnreadableError("the cell names a file outside of the data set")
        return real

    def _fetched(self, address: str) -> bytes:
        match = _ON_THE_HUB.fullmatch(address)
        name = match and datasets.naming.camelcase_to_snakecase(match[1])
        if name is None or name != self.hub_name or os.pardir in address.split("/"):
            raise UnreadableError("the cell holds an address, which is not fetched")
        with datasets.utils.file_utils.xopen(address, "rb") as file:
            content = file.read(LARGEST_READ + 1)
        if len(content) > LARGEST_READ:
            raise UnreadableError(f"it has more than {LARGEST_READ >> 20} MB, too many to be safe")
        return content


def to_list(column: pyarrow.ChunkedArray) -> list:
    """The values of a column as Python objects, None for a text that is no UTF-8."""
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        return [_value(scalar) for scalar in column]


def _value(scalar: pyarrow.Scalar):
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return None


def _array(cell: list) -> np.ndarray:
    try:
        array = np.array(cell)
    except ValueError as error:  # lists of different lengths
        raise UnreadableError("the cell holds a list that is no image") from error
    if array.dtype.kind not in "buif":
        raise UnreadableError("the cell holds a list that is no image")
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _folders_of(dataset: datasets.Dataset | datasets.IterableDataset) -> list[str] | None:
    """Where the files of a data set may lie that somebody else has loaded; None for anywhere."""
    files = dataset.cache_files if isinstance(dataset, datasets.Dataset) else []
    folders = sorted({os.path.dirname(file["filename"]) for file in files})
    saved = [folder for folder in folders if os.path.isfile(os.path.join(folder, "state.json"))]
    made_here = dataset.info.builder_name is None and not folders
    return saved or (None if made_here or dataset.info.builder_name in _OWN_NAMES else folders)
