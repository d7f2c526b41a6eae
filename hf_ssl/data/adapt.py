"""Data sets that a Python user already has."""

from collections.abc import Sequence

import datasets
import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, Subset

from .base import DecodedImages, ImageDataset
from .errors import DataError
from .hub import HubImages
from .images import decode_image
from .stream import AdaptedStream, HubStream, ImageStream

IMAGE_KEYS = ("image", "images", "img", "pixel_values", "jpg", "png")
LABEL_KEYS = ("label", "labels")
PROBES = 20  # items tried before giving up on finding out what they look like


def as_image_dataset(
    dataset,
    image_column: str | None = None,
    label_column: str | None = None,
    *,
    labels=None,
    label_names: Sequence[str] | None = None,
    channels: int = 3,
    max_unreadable: float = 0.1,
) -> ImageDataset | ImageStream:
    """
    Any data set as one of ours.

    Args:
        dataset: a `datasets.Dataset` or `IterableDataset`, or a `torch.utils.data.Dataset` or a list whose items are
            images, pairs (image, label) or dicts. An image is whatever [`decode_image`] takes. Data sets of ours are
            returned as they are.
        image_column, label_column (`str`, *optional*): keys of the dicts, or columns. By default the usual names.
        labels (`torch.Tensor` of shape `(N,)`, *optional*): for torch data sets and lists only. Without it, the
            `labels` attribute is filled by one pass over the items when it is first read.
        label_names (`list[str]`, *optional*): for torch data sets and lists only.
        channels (`int`, *optional*, defaults to 3): 3 turns every image into RGB, 1 into grey.
        max_unreadable (`float`, *optional*, defaults to 0.1): share of unreadable images that is accepted.

    Raises:
        DataError: if the data set is of another type or empty, or its items hold no image.
    """
    options = {"channels": channels, "max_unreadable": max_unreadable}
    if isinstance(dataset, (ImageDataset, ImageStream)):
        return dataset
    if isinstance(dataset, dict):  # DatasetDict too
        raise DataError(
            f"A dict of splits is not one data set: give one of its splits ({', '.join(map(str, dataset))})."
        )
    if isinstance(dataset, datasets.Dataset):
        return HubImages(dataset, image_column, label_column, **options)
    if isinstance(dataset, datasets.IterableDataset):
        return HubStream(dataset, image_column, label_column, **options)
    item_reader = ItemReader(image_column, label_column)
    if isinstance(dataset, IterableDataset):
        return AdaptedStream(dataset, item_reader, label_names=label_names, **options)
    if isinstance(dataset, (Dataset, list, tuple)):
        return AdaptedImages(dataset, item_reader, labels, label_names, **options)
    raise DataError(f"{type(dataset).__name__} is no data set: give a datasets.Dataset, a torch Dataset or a list.")


class ItemReader:
    """From an item of a foreign data set to (image, label or None)."""

    def __init__(self, image_column: str | None = None, label_column: str | None = None):
        self.image_column, self.label_column = image_column, label_column

    def __call__(self, item) -> tuple:
        if isinstance(item, dict):
            image_key = self._key(item, self.image_column, IMAGE_KEYS, "image_column")
            if image_key is None:
                raise DataError(f"No image among the keys {', '.join(map(str, item))}: name it in image_column.")
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
            raise DataError(f"{argument}={wanted!r} does not exist: the keys are {', '.join(map(str, item))}.")
        return wanted

    def _label(self, label) -> int | None:
        if isinstance(label, (torch.Tensor, np.ndarray)) and label.ndim == 0:
            label = label.item()
        if isinstance(label, (int, np.integer)):
            return int(label)
        if self.label_column is not None:
            raise DataError(f"label_column={self.label_column!r} holds {type(label).__name__}: give integer labels.")
        return None  # a caption, a box, a mask: nothing to classify


class AdaptedImages(DecodedImages):
    """A torch data set or a list, item by item. See [`as_image_dataset`]."""

    _sampled = 16  # each is a whole item, decoded and perhaps augmented

    def __init__(self, dataset, item_reader: ItemReader, labels, label_names, *, channels: int, max_unreadable: float):
        if not len(dataset):
            raise DataError("The data set is empty: give one with images.")
        if labels is not None and len(labels) != len(dataset):
            raise DataError(f"{len(dataset)} images came with {len(labels)} labels: give one each.")
        place = f"the {type(dataset).__name__}"
        super().__init__(
            len(dataset), labels, label_names, channels=channels, max_unreadable=max_unreadable, place=place
        )
        self._dataset, self._item_reader = dataset, item_reader
        self._labels_in_items = labels is None and self._probe()

    @property
    def labels(self) -> torch.Tensor | None:
        if self._labels is None and self._labels_in_items:
            self._labels = torch.tensor([self._label(index) for index in range(len(self))])
        return self._labels

    def subset(self, indices: Sequence[int]) -> "AdaptedImages":
        picked = self._picked(indices)
        picked._dataset = Subset(self._dataset, [int(index) for index in indices])
        picked._forget(len(picked._dataset))
        return picked

    def _cells(self, indices: list[int]) -> list[int]:
        return indices  # read one by one in `_sample`, so that one bad item costs one item

    def _image(self, index: int):
        return self._item_reader(self._dataset[index])[0]

    def _name(self, index: int) -> str:
        return f"item {index}"

    def _sample(self, index: int, cell: int) -> dict:
        image, label = self._item_reader(self._dataset[index])
        if self._labels is not None:
            label = int(self._labels[index])
        sample = {"image": self._decoded(image), "index": index}
        return sample if label is None else {**sample, "label": label}

    def _label(self, index: int) -> int:
        try:
            label = self._item_reader(self._dataset[index])[1]
        except DataError:
            raise
        except Exception:  # an unreadable item, which is never served
            label = None
        return -1 if label is None else label

    def _probe(self) -> bool:
        """Whether items carry labels. Raises where the first readable one holds something that is no image."""
        last = None
        for index in range(min(PROBES, len(self))):
            try:
                image, label = self._item_reader(self._dataset[index])
                decode_image(image, self.channels)
                return label is not None
            except DataError:
                raise
            except (ValueError, TypeError) as error:
                raise DataError(f"Item {index} of {self.place} is no image: {error}.") from error
            except Exception as error:  # a damaged file: the next one may tell
                last = error
        raise DataError(f"The first items of {self.place} cannot be read: {last}.") from last
