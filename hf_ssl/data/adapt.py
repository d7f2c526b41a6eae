"""Data sets that a Python user already has."""

import os
from collections.abc import Sequence

import datasets
import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset

from ..checks.regular_files import UnreadableError
from ..modalities import get_modality
from .base import ImageDataset
from .captions import CAPTION_NAMES, caption_of, with_captions
from .classes import find_name, number_classes
from .decoded import DecodedImages
from .errors import DataError
from .hub import IMAGE_KEYS
from .listing import counted
from .pixels import PixelFormat
from .stream import AdaptedStream, HubStream, ImageStream
from .unreadable import spread

LABEL_KEYS = ("label", "labels", "cls")
PROBES = 64  # evenly spread items that are looked at to find out what they are


def as_image_dataset(
    dataset,
    image_column: str | None = None,
    label_column: str | None = None,
    *,
    labels=None,
    label_names: Sequence[str] | None = None,
    channels: int = 3,
    max_unreadable: float | None = None,
    pixel_format: PixelFormat | None = None,
    text_column: str | None = None,
    captions: bool = False,
    modality: str = "image",
) -> ImageDataset | ImageStream:
    """
    Any data set as one of ours.

    Args:
        dataset: a `datasets.Dataset` or `IterableDataset`; the path of a folder of images, as `str` or `Path`; or a
            `torch.utils.data.Dataset` or a list whose items are images, pairs (image, label) or dicts. An image is
            whatever [`decode_image`] takes, also the name of a file; a label is an integer, a string or None. Data
            sets of ours are returned as they are.
        image_column, label_column (`str`, *optional*): keys of the dicts, or columns. By default the usual names.
        labels (`torch.Tensor` of shape `(N,)`, *optional*): for torch data sets and lists only. Without it, the
            `labels` attribute is filled by one pass over the items when it is first read.
        label_names (`list[str]`, *optional*): for torch data sets and lists only.
        channels (`int`, *optional*, defaults to 3): 3 turns every image into RGB, 1 into grey.
        max_unreadable (`float`, *optional*): share of unreadable images that is accepted, see [`DecodedImages`].
        pixel_format ([`PixelFormat`], *optional*): how stored values become pixels; by default found from the images.
        text_column (`str`, *optional*): key of the dicts, or column, with the captions. By default the usual names.
        captions (`bool`, *optional*, defaults to `False`): read captions, and leave out the images without one.
        modality (`str`, *optional*, defaults to `"image"`): what the items are: a row of `hf_ssl/modalities.py`, such
            as "video" or "audio", with what its `decode` takes in the place of images.

    Raises:
        DataError: if the data set is of another type or empty, its items hold no image, or too many are unreadable.
    """
    options = {"channels": channels, "max_unreadable": max_unreadable}
    if isinstance(dataset, ImageDataset):
        return with_captions(dataset, text_column)[0] if captions and dataset.captions is None else dataset
    if captions and isinstance(dataset, (IterableDataset, datasets.IterableDataset)):
        raise DataError("Captions of a stream are not read: give a data set with a length.")
    if isinstance(dataset, ImageStream):
        return dataset
    if isinstance(dataset, dict):  # DatasetDict too
        raise DataError(
            f"A dict of splits is not one data set: give one of its splits ({', '.join(map(str, dataset))})."
        )
    if isinstance(dataset, datasets.IterableDataset):
        return HubStream(dataset, image_column, label_column, **options)
    row = get_modality(modality)
    item_reader = ItemReader(image_column, label_column, row.load("items").columns)
    if isinstance(dataset, IterableDataset):
        return AdaptedStream(dataset, item_reader, label_names=label_names, **options)
    if isinstance(dataset, datasets.Dataset):
        images = row.load("table")(dataset, image_column, label_column, **options)
    elif isinstance(dataset, (str, os.PathLike)):
        images = row.load("folder")(dataset, label_column=label_column, **options)
    elif isinstance(dataset, (Dataset, list, tuple)):
        images = row.load("items")(dataset, item_reader, labels, label_names, **options)
    else:
        raise DataError(
            f"{type(dataset).__name__} is no data set: give a datasets.Dataset, a torch Dataset, a list of images or "
            "files, or the path of a folder."
        )
    if pixel_format is not None:
        images.pixel_format = pixel_format
    images.check()
    return with_captions(images, text_column)[0] if captions else images


class ItemReader:
    """
    From an item of a foreign data set to (image, label or None).

    Raises:
        UnreadableError: if the item has no such keys.
        DataError: if a label was asked for and is of a type that names no class.
    """

    def __init__(
        self,
        image_column: str | None = None,
        label_column: str | None = None,
        usual: tuple[str, ...] = IMAGE_KEYS,
    ):
        self.image_column, self.label_column, self.usual = image_column, label_column, usual

    def __call__(self, item) -> tuple:
        if isinstance(item, dict):
            image_key = self._key(item, self.image_column, self.usual, "image_column")
            if image_key is None:
                raise UnreadableError(f"No image among the keys {', '.join(map(str, item))}: name it in image_column.")
            label_key = self._key(item, self.label_column, LABEL_KEYS, "label_column")
            return item[image_key], None if label_key is None else self._label(item[label_key])
        if isinstance(item, (tuple, list)) and item:
            return item[0], self._label(item[1]) if len(item) > 1 else None
        return item, None

    @staticmethod
    def _key(item: dict, wanted: str | None, usual: tuple[str, ...], argument: str) -> str | None:
        if wanted is None:
            return next((key for key in usual if key in item), None)
        if wanted not in item:
            raise UnreadableError(f"{argument}={wanted!r} does not exist: the keys are {', '.join(map(str, item))}.")
        return wanted

    def _label(self, label) -> int | str | None:
        if isinstance(label, (torch.Tensor, np.ndarray, np.generic)) and label.ndim == 0:
            label = label.item()
        if label is None or isinstance(label, str):
            return label
        if isinstance(label, (int, float)) and (label != label or label % 1 == 0):
            return int(label) if label >= 0 else None  # -1 and NaN: not known
        if self.label_column is not None:
            raise DataError(
                f"label_column={self.label_column!r} holds a {type(label).__name__}, which names no class: give "
                "integers or strings."
            )
        return None  # a box, a mask: nothing to classify


class AdaptedImages(DecodedImages):
    """A torch data set or a list, item by item. See [`as_image_dataset`]."""

    columns = IMAGE_KEYS
    _headers_read = PROBES  # an item may be decoded, and augmented, when it is asked for
    _sampled = 16

    def __init__(
        self, dataset, item_reader: ItemReader, labels, label_names, *, channels: int, max_unreadable: float | None
    ):
        if not len(dataset):
            raise DataError("The data set is empty: give one with images.")
        if labels is not None and len(labels) != len(dataset):
            raise DataError(f"{counted(len(dataset))} came with {counted(len(labels), 'label')}: give one each.")
        place = f"the {type(dataset).__name__}"
        super().__init__(
            len(dataset), labels, label_names, channels=channels, max_unreadable=max_unreadable, place=place
        )
        self._dataset, self._item_reader = dataset, item_reader
        self._labels_in_items = False
        if labels is None:
            self._find_labels()

    @property
    def labels(self) -> torch.Tensor | None:
        if self._labels is None and self._labels_in_items:
            found = [self._label(row) for row in self._rows.tolist()]
            self._labels = torch.tensor([-1 if label is None else label for label in found])
        return self._labels

    def read_captions(self, column: str | None) -> tuple[list[str | None], str]:
        """By one pass over the items, which have to be dicts."""
        found: dict[int, str] = {}
        used = column
        for i, row in enumerate(self._rows.tolist()):
            item = self._dataset[row]
            key = find_name(item, CAPTION_NAMES) if isinstance(item, dict) and column is None else column
            if isinstance(item, dict) and key in item and (caption := caption_of(item[key])):
                found[i], used = caption, key
        if not found:
            asked = "" if column is None else f" under {column!r}"
            raise DataError(f"No item of {self.place} has a caption{asked}: give dicts with 'image' and 'text'.")
        return [found.get(i) for i in range(len(self))], f"{used!r} of the items"

    def _cells(self, rows: list[int]) -> list[int]:
        return rows  # read one by one, so that one bad item costs one item

    def _name(self, row: int) -> str:
        item = self._dataset[row] if isinstance(self._dataset, (list, tuple)) else None
        file = item[0] if isinstance(item, tuple) and item else item
        return f"item {row}" + (f" ({os.path.basename(file)})" if isinstance(file, (str, os.PathLike)) else "")

    def _image(self, row: int, cell: int) -> tuple:
        image, label = self._item_reader(self._dataset[row])
        if not self._labels_in_items:
            return image, None
        return image, -1 if label is None else label

    def _label(self, row: int) -> int | str | None:
        try:
            return self._item_reader(self._dataset[row])[1]
        except DataError:
            raise
        except Exception:  # an unreadable item, which is never served
            return None

    def _find_labels(self) -> None:
        """Integers are collected when `labels` is first read; strings have to be numbered before the first batch."""
        probed = [label for i in spread(len(self), PROBES) if (label := self._label(i)) is not None]
        if not any(isinstance(label, str) for label in probed):
            self._labels_in_items = bool(probed)
        elif self._item_reader.label_column is not None or len(set(probed)) < len(probed):  # else captions
            labels = [self._label(row) for row in range(len(self))]
            self._labels, self.label_names = number_classes(labels, self._item_reader.label_column or "label")
