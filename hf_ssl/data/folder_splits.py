"""The training and the test images of a folder that may have subfolders for them."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .class_folders import TEST_NAMES, TRAIN_NAMES, Parts, split_level, without_level
from .classes import number_classes
from .errors import DataError
from .folder import ImageFolder
from .listing import counted


@dataclass
class FolderSplits:
    """
    Attributes:
        train ([`ImageFolder`])
        test ([`ImageFolder`], *optional*): None where no subfolder is for testing, or none that can be scored.
        made_by (`str`, *optional*): the subfolders, in words.
        left_out (`list[str]`): phrases about what is in neither.
    """

    train: ImageFolder
    test: ImageFolder | None
    made_by: str | None
    left_out: list[str]


@dataclass
class _Parts:
    """Which of the folders with images belong to which part; `folders` are the same without the names of the parts."""

    train_name: str | None
    train: np.ndarray  # rows
    tests: dict[str, np.ndarray]  # by name, best first
    folders: list[Parts]
    asked: bool = False  # for this test part


def split_folder(whole: ImageFolder, split: str | None, test_split: str | None) -> FolderSplits:
    """
    Divide the images of a folder by its subfolders, and judge once which of them can be read.

    Folders called `train` and `test` (or `val`, `valid`, `validation`; in any case) are found at any depth, above or
    below the classes. A test folder without labels is passed over where the training images have some.

    Args:
        whole ([`ImageFolder`]): all images.
        split, test_split (`str`, *optional*): subfolders to take instead.

    Raises:
        DataError: if a subfolder that was asked for does not exist, holds no images, or is the other one, and as
            [`DecodedImages.check`].
    """
    parts = _parts_asked(whole, split, test_split) if split or test_split else _parts_found(whole)
    values, labels_from = whole.class_values(parts.folders, parts.train)

    classes = {values[row] for row in parts.train} - {None}

    def labelled(rows: np.ndarray) -> bool:
        return any(values[row] in classes for row in rows)

    usable = [name for name, rows in parts.tests.items() if parts.asked or not classes or labelled(rows)]
    test_name = usable[0] if usable else None
    test = parts.tests[test_name] if usable else np.empty(0, dtype=np.int64)
    rows = np.concatenate([parts.train, test])
    labels, names = number_classes([values[row] for row in rows], "label")
    used = whole.subset(rows).with_labels(labels, names)
    used.labels_from = labels_from
    used.check()
    train = used.subset(range(len(parts.train))).readable()
    left_out = list(whole.left_out) + [
        f"not used for testing ({name}: {counted(len(skipped))}{'' if labelled(skipped) else ' without labels'})"
        for name, skipped in parts.tests.items()
        if name != test_name
    ]
    outside = len(whole) - len(parts.train) - sum(map(len, parts.tests.values()))
    if outside:
        left_out.append(f"outside of the splits ({counted(outside)})")
    if test_name is None:
        return FolderSplits(train, None, None, left_out)
    held_out = used.subset(range(len(parts.train), len(rows))).readable()
    if not labelled(test):
        held_out = held_out.with_labels(None, None)
    made_by = f"{parts.train_name or 'everything else'} to train on, {test_name} to test on"
    return FolderSplits(train, held_out, made_by, left_out)


def _parts_found(whole: ImageFolder) -> _Parts:
    level = split_level(whole.folders)
    if level is None:
        return _Parts(None, np.arange(len(whole)), {}, whole.folders)
    names = [parts[level - 1] if len(parts) >= level else "" for parts in whole.folders]
    lower = [name.lower() for name in names]
    folders = [without_level(parts, level) for parts in whole.folders]
    train = whole.rows_in([name in TRAIN_NAMES for name in lower])
    tests = {
        f"{names[lower.index(test)]}/": whole.rows_in([name == test for name in lower])
        for test in TEST_NAMES
        if test in lower
    }
    train_name = next(name for name in names if name.lower() in TRAIN_NAMES)
    return _Parts(f"{train_name}/", train, tests, folders)


def _parts_asked(whole: ImageFolder, split: str | None, test_split: str | None) -> _Parts:
    train_at = None if split is None else _subfolder(whole, "split", split)
    test_at = None if test_split is None else _subfolder(whole, "test_split", test_split)
    if train_at == test_at:
        raise DataError(f"split={split!r} and test_split={test_split!r} are the same folder: name another to test on.")
    if test_at is None:
        tests = _siblings(whole, train_at, TEST_NAMES) if train_at and train_at[-1].lower() in TRAIN_NAMES else []
    else:
        tests = [test_at]
        if train_at is None:
            train_at = next(iter(_siblings(whole, test_at, TRAIN_NAMES)), ())
        if not train_at:  # all the others, without the folders around them
            others = [parts for parts in whole.folders if not _lies_in(parts, test_at)]
            train_at = tuple(os.path.commonprefix(others))
    at = [*tests, train_at]  # an image belongs to the first of these that it lies in
    place = [next((i for i, part in enumerate(at) if _lies_in(parts, part)), None) for parts in whole.folders]
    folders = [parts if i is None else parts[len(at[i]) :] for parts, i in zip(whole.folders, place, strict=True)]
    rows = [whole.rows_in([i == part for i in place]) for part in range(len(at))]
    for argument, name, found in (("split", split, rows[-1]), ("test_split", test_split, rows[0])):
        if name is not None and not len(found):
            raise DataError(f"{argument}={name!r} of {whole.root} holds no images: name another subfolder.")
    if not len(rows[-1]):
        raise DataError(f"All images of {whole.root} lie in test_split={test_split!r}: nothing is left to train on.")
    name_of = {part: f"{os.path.join(*part)}/" if part else None for part in at}
    named = {name_of[part]: found for part, found in zip(tests, rows, strict=False)}
    return _Parts(name_of[train_at], rows[-1], named, folders, asked=test_at is not None)


def _subfolder(whole: ImageFolder, argument: str, name: str) -> Parts:
    path = Path(os.path.normpath(name))
    if path.is_absolute() or ".." in path.parts or not (whole.root / path).is_dir():
        subfolders = sorted({parts[0] for parts in whole.folders if parts})
        raise DataError(
            f"{argument}={name!r} is no subfolder of {whole.root}; it has {', '.join(subfolders) or 'none'}."
        )
    return path.parts


def _siblings(whole: ImageFolder, at: Parts, names: tuple[str, ...]) -> list[Parts]:
    """Folders with images beside `at` that have one of these names, in the order of the names."""
    depth = max(len(at), 1)
    beside = {parts[:depth] for parts in whole.folders if len(parts) >= depth and parts[: depth - 1] == at[:-1]}
    return sorted(
        (part for part in beside if part[-1].lower() in names), key=lambda part: names.index(part[-1].lower())
    )


def _lies_in(parts: Parts, part: Parts) -> bool:
    return parts[: len(part)] == part
