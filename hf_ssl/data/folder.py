"""A folder of images, with or without one subfolder per class."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .base import DecodedImages, share_label_names
from .errors import DataError
from .images import EXTENSIONS
from .splits import split_indices

TRAIN_FOLDER = "train"
TEST_FOLDERS = ("test", "val", "validation")


class ImageFolder(DecodedImages):
    """
    Every image below a folder, however deep.

    Labels are the names of the first-level subfolders if every image lies in one and there are at least two; a flat or
    mixed folder has no labels. Hidden files and folders are ignored, and links are followed, each folder once.
    Unreadable files are replaced and recorded, see [`DecodedImages`].

    Args:
        root (`str` or `Path`): the folder.
        channels (`int`, *optional*, defaults to 3): 3 turns every image into RGB, 1 into grey.
        max_unreadable (`float`, *optional*, defaults to 0.1): share of unreadable files that is accepted.

    Raises:
        DataError: if the folder does not exist or holds no image, and while reading if too many files are bad.
    """

    def __init__(self, root: str | os.PathLike, *, channels: int = 3, max_unreadable: float = 0.1):
        self.root = existing_folder(root)
        files = find_images(self.root)
        if not files:
            raise DataError(f"{self.root} holds no images ({', '.join(EXTENSIONS)}): give the folder that does.")
        labels, label_names = _folder_labels(files)
        super().__init__(
            len(files), labels, label_names, channels=channels, max_unreadable=max_unreadable, place=str(self.root)
        )
        # One block of bytes, not a list of strings: worker processes would copy every string they touch.
        self._files = np.array([os.fsencode(file) for file in files])

    def subset(self, indices: Sequence[int]) -> "ImageFolder":
        picked = self._picked(indices)
        picked._files = self._files[np.asarray(indices, dtype=np.int64)]
        picked._forget(len(picked._files))
        return picked

    def path(self, index: int) -> Path:
        """The file of image `index`."""
        return self.root / os.fsdecode(self._files[index])

    def unreadable_files(self) -> list[Path]:
        """The files that could not be read so far, in this process and in all DataLoader workers."""
        return [self.path(index) for index in self.unreadable_indices()]

    def _cells(self, indices: list[int]) -> list[Path]:
        return [self.path(index) for index in indices]

    def _name(self, index: int) -> str:
        # A file name may hold bytes that are no text, which would break the terminal.
        return os.fsdecode(self._files[index]).encode("utf-8", "replace").decode("utf-8")


def existing_folder(root: str | os.PathLike) -> Path:
    """`root` with `~` expanded, or a `DataError` that says why it is no folder."""
    folder = Path(root).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise DataError(f"{folder} is a file: give the folder that holds the images (unpack an archive first).")
    raise DataError(f"{folder} does not exist: give an existing folder of images.")


def find_images(root: Path) -> list[str]:
    """Paths relative to `root` of all files with an image extension, sorted; loops of links are safe."""
    found, seen, tops = [], set(), [root]
    while tops:
        links = []
        for top in tops:
            for folder, subfolders, files in os.walk(top, onerror=_warn_unlisted):
                status = os.stat(folder)
                if (status.st_dev, status.st_ino) in seen:
                    subfolders.clear()
                    continue
                seen.add((status.st_dev, status.st_ino))
                subfolders[:] = sorted(name for name in subfolders if not _hidden(name))
                # `walk` does not enter links; real folders go first, so that a link never takes their place.
                links += [path for name in subfolders if (path := Path(folder, name)).is_symlink()]
                within = os.path.relpath(folder, root)
                found += [
                    name if within == os.curdir else os.path.join(within, name)
                    for name in files
                    if name.lower().endswith(EXTENSIONS) and not _hidden(name)
                ]
        tops = links
    return sorted(found, key=lambda file: file.split(os.sep))


def folder_splits(
    root: str | os.PathLike,
    *,
    seed: int = 0,
    test_fraction: float = 0.2,
    split: str | None = None,
    test_split: str | None = None,
    channels: int = 3,
    max_unreadable: float = 0.1,
) -> tuple[ImageFolder, ImageFolder | None]:
    """
    The training and the test images of a folder.

    `train/` beside `test/`, `val/` or `validation/` (or the subfolders `split` and `test_split`) are taken as
    they are. Otherwise a labelled folder is split class by class, and an unlabelled one is all for training.

    Raises:
        DataError: as [`ImageFolder`], or if a subfolder that was asked for does not exist.
    """
    root = existing_folder(root)
    names = {
        path.name.lower(): path.name for path in sorted(root.iterdir()) if path.is_dir() and not _hidden(path.name)
    }
    for argument, name in (("split", split), ("test_split", test_split)):
        if name is not None and not (root / name).is_dir():
            raise DataError(f"{argument}={name!r} is no subfolder of {root}; it has {_listed(names.values())}.")

    def images(name: str | None) -> ImageFolder:
        return ImageFolder(root / name if name else root, channels=channels, max_unreadable=max_unreadable)

    candidates = [names[name] for name in TEST_FOLDERS if name in names and find_images(root / names[name])]
    if split is None and TRAIN_FOLDER in names and (candidates or test_split or len(names) == 1):
        split = names[TRAIN_FOLDER]
    if test_split is not None and split is None:
        raise DataError(f"test_split={test_split!r} of {root} came without a split to train on: give split as well.")
    train = images(split)
    if test_split is not None:
        test = images(test_split)
    elif split is not None and split.lower() == TRAIN_FOLDER and candidates:
        tests = [images(name) for name in candidates]
        # ImageNet's test folder has no labels where its val folder has: prefer one that can be scored.
        test = next((folder for folder in tests if folder.labels is not None), tests[0])
    else:
        train_indices, test_indices = split_indices(len(train), train.labels, test_fraction, seed)
        if train.labels is None or not test_indices:
            return train, None
        return train.subset(train_indices), train.subset(test_indices)
    share_label_names(train, test)
    return train, test


def _folder_labels(files: list[str]) -> tuple[list[int] | None, list[str] | None]:
    parts = [file.split(os.sep) for file in files]
    label_names = sorted({part[0] for part in parts})
    if len(label_names) < 2 or any(len(part) < 2 for part in parts):
        return None, None
    number = {name: i for i, name in enumerate(label_names)}
    return [number[part[0]] for part in parts], label_names


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _warn_unlisted(error: OSError) -> None:
    warnings.warn(f"{error.filename} is left out, it cannot be listed: {error.strerror}.", stacklevel=3)


def _listed(names) -> str:
    return ", ".join(names) or "none"
