"""A folder of images: its files, its classes, and its split."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..utils.printing import printable
from .captions import CAPTION_NAMES, caption_of
from .class_folders import Levels, Parts, class_of, count_images
from .classes import number_classes
from .decoded import DecodedImages
from .errors import DataError
from .listing import UNSUPPORTED, Listing, describe, list_files
from .metadata import metadata_values


class ImageFolder(DecodedImages):
    """
    Every image below a folder, however deep.

    The classes are the label column of a `metadata.csv` (`.jsonl`, `.parquet`) if there is one, and else the folders
    at one level, see `label_level`; an image without a class has the label -1. Hidden files and folders, and folders
    that hf-ssl wrote, are left out; links are followed, each folder once. Unreadable files are replaced and recorded,
    see [`DecodedImages`].

    Args:
        root (`str` or `Path`): the folder.
        channels (`int`, *optional*, defaults to 3): 3 turns every image into RGB, 1 into grey.
        max_unreadable (`float`, *optional*): share of unreadable files that is accepted, see [`DecodedImages`].
        label_level (`int`, *optional*): the level of folders that names the classes, 1 being the first below `root`;
            0 for no labels. By default the first level with at least two folders that hold nearly all images.
        label_column (`str`, *optional*): column of the metadata; by default the first one with a usual name.
        exclude (`Sequence[str or Path]`, *optional*): folders to leave out.
        listing (`Listing`, *optional*): of `root`, where it has been listed already.
        labelled (`bool`, *optional*, defaults to `True`): `False` leaves the labels to [`split_folder`].

    Attributes:
        left_out (`list[str]`): what was left out, a phrase for every reason.
        labels_from (`str`): where the labels come from, or why there are none.
        folders (`list[tuple[str, ...]]`): the folders that hold images, relative to the root.

    Raises:
        DataError: if the folder does not exist, holds no image, or has no such level or column.
    """

    def __init__(
        self,
        root: str | os.PathLike,
        *,
        channels: int = 3,
        max_unreadable: float | None = None,
        label_level: int | None = None,
        label_column: str | None = None,
        exclude: Sequence[str | os.PathLike] = (),
        listing: Listing | None = None,
        labelled: bool = True,
    ):
        self.root = existing_folder(root)
        listing = listing or self.list_files(self.root, exclude)
        self._files = listing.files
        if not len(self._files):
            raise DataError(_none_found(self.root, listing, self.noun))
        super().__init__(
            len(self._files), None, None, channels=channels, max_unreadable=max_unreadable, place=str(self.root)
        )
        # What the tables say wins over the folders, unless the user names a level.
        self._table = None if label_level is not None else metadata_values(self.root, listing, label_column)
        self._label_level = label_level
        self._listing = listing
        self.left_out = listing.describe_left_out()
        numbers: dict[bytes, int] = {}
        self._folder_of = np.array([numbers.setdefault(os.path.dirname(file), len(numbers)) for file in self._files])
        self.folders: list[Parts] = [tuple(filter(None, os.fsdecode(folder).split(os.sep))) for folder in numbers]
        self.labels_from = ""
        if labelled:
            values, self.labels_from = self.class_values(self.folders, self._rows)
            self._labels, self.label_names = number_classes(values, "label")

    list_files = staticmethod(list_files)

    def path(self, index: int) -> Path:
        """The file of image `index`."""
        return self._path(self._rows[index])

    def keys(self) -> list[bytes]:
        return self._files[self._rows].tolist()

    def rows_in(self, chosen: Sequence[bool]) -> np.ndarray:
        """Rows of the images in those of `self.folders` that are `chosen`."""
        return np.flatnonzero(np.asarray(chosen, dtype=bool)[self._folder_of])

    def class_values(self, folders: list[Parts], choosing: np.ndarray) -> tuple[list, str]:
        """
        The name of the class of every file, or None, and where it comes from.

        Args:
            folders (`list[Parts]`): what to take for `self.folders`, without the names of splits for example.
            choosing (`np.ndarray`): rows of the images by which the level of the classes is chosen.
        """
        if self._table is not None:
            value_of, column = self._table
            return [value_of.get(os.fsdecode(file)) for file in self._files], f"column {column!r} of the metadata"
        levels = Levels.of(count_images(folders, self._folder_of[choosing].tolist()))
        level = levels.choose(self._label_level, self.place)
        classes = [class_of(parts, level) for parts in folders]
        if level:
            source = f"the folders at level {level}"
        else:
            source = "label_level=0" if self._label_level == 0 else levels.why_not()
        return [classes[folder] for folder in self._folder_of], source

    def read_captions(self, column: str | None) -> tuple[list[str | None], str]:
        found = metadata_values(self.root, self._listing, column, CAPTION_NAMES, "text_column")
        if found is None:
            raise DataError(
                f"{self.root} has no captions: add a metadata.csv or metadata.jsonl with the columns file_name and "
                "text, or name the column in text_column."
            )
        value_of, used = found
        files = self._files[self._rows]
        return [caption_of(value_of.get(os.fsdecode(file))) for file in files], f"column {used!r} of the metadata"

    def _path(self, row: int) -> Path:
        return self.root / os.fsdecode(self._files[row])

    def _cells(self, rows: list[int]) -> list[Path]:
        return [self._path(row) for row in rows]

    def _name(self, row: int) -> str:
        return printable(os.fsdecode(self._files[row]))


def existing_folder(root: str | os.PathLike) -> Path:
    """`root` with `~` expanded, or a `DataError` that says why it is no folder."""
    folder = Path(os.path.expanduser(root))  # leaves `~nobody` as it is
    if folder.is_dir():
        return folder
    if folder.exists():
        raise DataError(f"{folder} is a file: give the folder that holds the images (unpack an archive first).")
    raise DataError(f"{folder} does not exist: give an existing folder of images.")


def _none_found(root: Path, listing: Listing, noun: str) -> str:
    if UNSUPPORTED in listing.left_out:
        pictures = describe("pictures of a format that is not read", listing.left_out[UNSUPPORTED])
        return f"{root} holds no images, only {pictures}: convert them to JPEG or PNG."
    if listing.left_out:
        return (
            f"{root} holds no {noun}s (left out: {'; '.join(listing.describe_left_out())}): give the folder that does."
        )
    inside = "and its subfolders are empty" if listing.subfolders else "it is empty"
    return f"{root} holds no {noun}s, {inside}: give the folder that does."
