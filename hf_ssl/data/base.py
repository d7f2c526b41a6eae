"""What every map-style image data set is."""

import copy
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset

from ..modalities import Modality
from .errors import DataError
from .pixels import PixelFormat
from .unreadable import DECODED, spread


class Samples(Protocol):
    """Any map-style data set: it has a length and gives a dict for an index. torch's `Dataset` promises no length."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class ImageDataset(Dataset):
    """
    A map-style data set of dicts `{"image": uint8 tensor (C, H, W), "index": int}`, plus `"label": int` where labels
    exist. C is the same for all images of a data set, 1 or 3.

    Attributes:
        labels (`torch.LongTensor` of shape `(N,)`, *optional*): class of every image, -1 where unknown.
        label_names (`list[str]`, *optional*): name of every class.
        captions (`list[str]`, *optional*): text that belongs to every image, `"text"` in its sample; see
            [`with_captions`].
    """

    captions: list[str] | None = None
    sample_key: ClassVar[str] = "image"  # under which a sample holds what it is
    noun: ClassVar[str] = "image"  # what people call it
    _rows: np.ndarray | None = None  # image i is row `_rows[i]` of the source; None where it is row i

    def __init__(self, labels: torch.Tensor | Sequence[int] | None = None, label_names: Sequence[str] | None = None):
        self._labels = None if labels is None else torch.as_tensor(labels, dtype=torch.long)
        self.label_names = None if label_names is None else [_text(name) for name in label_names]

    @property
    def labels(self) -> torch.Tensor | None:
        return self._labels

    @property
    def pixel_format(self) -> PixelFormat:
        """How stored values become pixels, for all images of the set; 8 bits here."""
        return PixelFormat()

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: int) -> dict:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: list[int]) -> list[dict]:
        raise NotImplementedError

    def subset(self, indices: Sequence[int]) -> "ImageDataset":
        """The same kind of data set with only these images, numbered from 0 in this order."""
        raise NotImplementedError

    def sizes(self) -> list[tuple[int, int]]:
        """(width, height) in pixels of evenly spread images, upright, without decoding them where that is possible."""
        return [tuple(self[i][self.sample_key].shape[:-3:-1]) for i in spread(len(self), DECODED)]

    def describe(self) -> str | None:
        """A sentence on sizes and the like for the start of a run; None where `sizes` says it all."""
        return None

    def keys(self) -> list[bytes]:
        """What tells every image from the others in every run: its number in the source, or the name of its file."""
        return [b"%d" % row for row in (range(len(self)) if self._rows is None else self._rows)]

    def read_captions(self, column: str | None) -> tuple[list[str | None], str]:
        """
        The caption of every image as the source has it, None where there is none, and where they come from.

        Args:
            column (`str`, *optional*): by default the first with a usual name (text, caption, …).

        Raises:
            DataError: if there are no captions.
        """
        raise DataError(f"{type(self).__name__} has no captions: give a folder or a table that has.")

    def with_labels(self, labels: torch.Tensor | None, label_names: Sequence[str] | None) -> "ImageDataset":
        """The same images with other labels, a LongTensor `(N,)` with -1 where the class is not known."""
        labelled = copy.copy(self)
        ImageDataset.__init__(labelled, labels, label_names)
        return labelled

    def relabel(self, label_names: list[str]) -> None:
        """Number the classes by their place in `label_names`, which must hold all of them. Unknown (-1) stays."""
        mapping = torch.tensor([label_names.index(name) for name in self.label_names or ()] + [-1])
        self._labels = mapping[self._labels]  # -1 picks the last entry
        self.label_names = list(label_names)

    def _positions(self, indices: Sequence[int]) -> list[int]:
        everything = range(len(self))  # indexing a range checks the bounds and resolves negative indices
        return [everything[int(index)] for index in indices]

    def _picked(self, indices: Sequence[int]) -> "ImageDataset":
        picked = copy.copy(self)
        picked._labels = None if self._labels is None else self._labels[torch.as_tensor(indices, dtype=torch.long)]
        picked.captions = None if self.captions is None else [self.captions[int(index)] for index in indices]
        rows = np.asarray(indices, dtype=np.int64)
        picked._rows = rows if self._rows is None else self._rows[rows]
        return picked


def _text(name):
    """A name that can be written to any file: what is no text in that of a folder, as its code."""
    return name.encode("utf-8", "backslashreplace").decode() if isinstance(name, str) else name


def require_samples_of(modality: Modality, dataset, name: str) -> None:
    """
    Raises:
        DataError: unless the samples of a data set are of this modality; it calls the data set `name`.
    """
    if dataset.sample_key != modality.sample_key:
        noun = modality.noun
        raise DataError(f"{name} holds {dataset.noun}s, and no {noun}s: give a folder or a table of {noun}s.")


def is_labelled(dataset) -> bool:
    """Whether at least two classes are known among the images of `dataset`."""
    return dataset.labels is not None and len(dataset.labels[dataset.labels >= 0].unique()) > 1


def share_label_names(train: ImageDataset, test: ImageDataset) -> None:
    """Give the same number to the same class name in both, where both have labels."""
    if train.label_names is not None and test.label_names is not None and train.label_names != test.label_names:
        new = sorted(set(test.label_names) - set(train.label_names))
        train.relabel(train.label_names + new)
        test.relabel(train.label_names)
