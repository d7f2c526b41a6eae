"""What the Trainer is given to train and to evaluate on, opened: any data set, or the name of a folder."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets

from ..data import Data, DecodedImages, ImageDataset, ImageStream, as_image_dataset
from ..data.base import share_label_names
from ..modalities import modality_of_sample
from ..processing_utils import SSLProcessorMixin


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


def open_data(train, test, processor: SSLProcessorMixin) -> Opened:
    """
    Args:
        train: see `SSLTrainer`.
        test: see `SSLTrainer`.
        processor (`SSLProcessorMixin`): says what the samples are, and how many channels images have.

    Raises:
        DataError: for what is no data set of such samples; see `as_image_dataset`.
    """
    if isinstance(train, Data):
        test = train.test if test is None else test
        return Opened(train.train, images_beside(train.train, test, processor), facts_of(train))
    if train is None or isinstance(train, (ImageDataset, ImageStream)):
        return Opened(train, images_beside(train, test, processor))
    images = as_image_dataset(train, **reading(processor))
    test = images_beside(images, test, processor)
    name = _name_of(train)
    shown = test if isinstance(test, (ImageDataset, ImageStream)) else None
    data = Data(name or f"The {type(train).__name__}", images, shown, images.label_names, "", "")
    data.record_split(made_by="as they were given")
    data.labels_from = _labels_from(images)
    return Opened(images, test, {"dataset": name, "split": data.split} if name else {}, data.summary())


def images_beside(train, test, processor: SSLProcessorMixin):
    """
    Test images as one of our data sets, or each of a dict of them: their pixels are read as those to train on are, and
    a class has the same number in both.
    """
    if isinstance(test, dict):
        return {name: images_beside(train, part, processor) for name, part in test.items()}
    if test is None or isinstance(test, (ImageDataset, ImageStream)):
        return test
    images = as_image_dataset(test, **reading(processor))
    if isinstance(images, DecodedImages) and isinstance(train, DecodedImages):
        images.pixel_format = train.pixel_format
        share_label_names(train, images)
    return images


def reading(processor: SSLProcessorMixin) -> dict[str, Any]:
    """How `as_image_dataset` has to read samples for a processor."""
    modality = modality_of_sample(processor.sample_keys[0])
    channels = processor.num_channels
    return {"modality": modality.name} | ({} if channels is None else {"channels": channels})


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
