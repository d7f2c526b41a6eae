"""What the Trainer is given to train and to evaluate on, opened: any data set, or the name of a folder."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets

from ..data import Data, DecodedImages, ImageDataset, ImageStream, as_image_dataset
from ..data.base import share_label_names
from ..image_processing_utils import SSLImageProcessor


@dataclass
class Opened:
    """
    Args:
        train ([`ImageDataset`] or [`ImageStream`], *optional*)
        test (*optional*): the same, or a dict of them.
        about (`dict`): what the record of the run says of the data.
        lines (`list[str]`): what was found, for people; empty where whoever opened the data has seen it.
    """

    train: ImageDataset | ImageStream | None
    test: Any
    about: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def open_data(train, test, channels: int) -> Opened:
    """
    Args:
        train: see `SSLTrainer`.
        test: see `SSLTrainer`.
        channels (`int`): 3 turns every image into RGB, 1 into grey.

    Raises:
        DataError: for what is no data set of images; see `as_image_dataset`.
    """
    if isinstance(train, Data):
        test = train.test if test is None else test
        return Opened(train.train, images_beside(train.train, test, channels), facts_of(train))
    if train is None or isinstance(train, (ImageDataset, ImageStream)):
        return Opened(train, images_beside(train, test, channels))
    images = as_image_dataset(train, channels=channels)
    test = images_beside(images, test, channels)
    name = _name_of(train)
    shown = test if isinstance(test, (ImageDataset, ImageStream)) else None
    data = Data(name or f"The {type(train).__name__}", images, shown, images.label_names, "", "")
    data.record_split(made_by="as they were given")
    data.labels_from = _labels_from(images)
    return Opened(images, test, {"dataset": name, "split": data.split} if name else {}, data.summary())


def images_beside(train, test, channels: int):
    """
    Test images as one of our data sets, or each of a dict of them: their pixels are read as those to train on are, and
    a class has the same number in both.
    """
    if isinstance(test, dict):
        return {name: images_beside(train, part, channels) for name, part in test.items()}
    if test is None or isinstance(test, (ImageDataset, ImageStream)):
        return test
    images = as_image_dataset(test, channels=channels)
    if isinstance(images, DecodedImages) and isinstance(train, DecodedImages):
        images.pixel_format = train.pixel_format
        share_label_names(train, images)
    return images


def channels_of(processor: SSLImageProcessor) -> int:
    """Of the images that an image processor takes: 1 for an encoder that sees grey, else 3."""
    return 1 if len(processor.image_mean) == 1 else 3


def facts_of(data: Data) -> dict[str, Any]:
    """What the record of a run says of its data."""
    return {"dataset": data.name, "dataset_description": data.description, "split": data.split}


def _name_of(source) -> str | None:
    """What a data set is called, as far as it has a name."""
    if isinstance(source, str | os.PathLike):
        return Path(source).expanduser().resolve().name
    return source.info.dataset_name if isinstance(source, datasets.Dataset | datasets.IterableDataset) else None


def _labels_from(images: ImageDataset | ImageStream) -> str:
    known = vars(images)
    if known.get("label_column"):
        return f"column {known['label_column']!r}"
    return known.get("labels_from", "the items" if images.label_names else "")
