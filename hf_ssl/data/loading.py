"""One name, path or Hub id to a training and a test data set."""

import difflib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .base import DecodedImages, ImageDataset, share_label_names
from .errors import DataError
from .folder import existing_folder, find_images, folder_splits
from .hub import HubImages, is_saved, load_hub
from .idx import FASHION_MNIST, fashion_mnist_folder, idx_split, is_idx_folder
from .photo_patches import DESCRIPTION, LICENCE, photo_patches
from .splits import few_indices, split_indices
from .stream import HubStream, ImageStream
from .tensors import TensorImages

PATCHES_PER_PHOTO = {"train": 400, "test": 100}
SHUFFLE_BUFFER = 1000  # files, not pixels: about 100 MB of photographs
OWN_LICENCE = "Not stated: the licence is whatever the images of this folder came with."


@dataclass
class Data:
    """
    What to train on and what to test on.

    Attributes:
        name (`str`): the source, as a short name.
        train ([`ImageDataset`] or [`ImageStream`]).
        test ([`ImageDataset`], [`ImageStream`] or `None`): None where there is nothing to score on.
        label_names (`list[str]` or `None`): names of the classes of `train`.
        description (`str`): what the images are and what the labels mean, for model cards.
        licence (`str`): under which terms, as far as it is known.
    """

    name: str
    train: ImageDataset | ImageStream
    test: ImageDataset | ImageStream | None
    label_names: list[str] | None
    description: str
    licence: str


@dataclass
class _Request:
    """The arguments of `load_data`, checked."""

    source: str
    seed: int
    test_fraction: float
    image_column: str | None
    label_column: str | None
    split: str | None
    test_split: str | None
    max_unreadable: float
    streaming: bool
    limit: int | None
    channels: int | None

    def reject(self, what: str, *arguments: str) -> None:
        """Raise if an argument was given that this kind of source has no use for."""
        for argument in arguments:
            if vars(self)[argument]:
                raise DataError(f"{argument}={vars(self)[argument]!r} means nothing for {what}: leave it out.")


def load_data(
    source: str | os.PathLike = "photo-patches",
    *,
    seed: int = 0,
    test_fraction: float = 0.2,
    image_column: str | None = None,
    label_column: str | None = None,
    split: str | None = None,
    test_split: str | None = None,
    max_unreadable: float = 0.1,
    streaming: bool = False,
    limit: int | None = None,
    channels: int | None = None,
) -> Data:
    """
    Images to train on and to test on.

    Args:
        source (`str` or path, *optional*, defaults to `"photo-patches"`): `"photo-patches"` (embedded),
            `"fashion-mnist"` (Debian's offline copy), a folder of images, of idx files or of a saved data set, or else
            the id of a data set on the Hub.
        seed (`int`, *optional*, defaults to 0): of the patches, of the split, of `limit` and of the streaming order.
        test_fraction (`float`, *optional*, defaults to 0.2): share of every class to test on, in [0, 1), where a
            labelled source has no test split of its own. An unlabelled one is all for training.
        image_column, label_column (`str`, *optional*): columns of a Hub data set; found by their type by default.
        split, test_split (`str`, *optional*): splits of a Hub data set, or subfolders; found by name by default.
        max_unreadable (`float`, *optional*, defaults to 0.1): share of unreadable images that is accepted, in [0, 1].
        streaming (`bool`, *optional*, defaults to `False`): read a Hub data set as it arrives, without storing it.
        limit (`int`, *optional*): at most this many images of each split, the classes as even as they can be.
        channels (`int`, *optional*): 3 (RGB) or 1 (grey); by default 1 for the built-in sources and idx files, else 3.

    Returns:
        [`Data`].

    Raises:
        DataError: if the source cannot be found or loaded, or an argument does not fit it.
    """
    if not isinstance(source, (str, os.PathLike)):
        raise DataError(
            f"source is a {type(source).__name__}: give a name or a path, or use as_image_dataset(source)."
        )
    text = os.fspath(source)
    if channels not in (None, 1, 3):
        raise DataError(f"channels={channels!r}: give 3 for RGB or 1 for grey.")
    if limit is not None and limit < 1:
        raise DataError(f"limit={limit!r}: give at least 1, or None for all images.")
    columns_and_splits = (image_column, label_column, split, test_split)
    request = _Request(text, seed, test_fraction, *columns_and_splits, max_unreadable, streaming, limit, channels)
    loader = BUILT_IN.get(text) if isinstance(source, str) else None
    data = (loader or _loader(text, is_path=not isinstance(source, str)))(request)
    if isinstance(data.train, DecodedImages) and isinstance(data.test, DecodedImages):
        data.test.pixel_format = data.train.pixel_format
    if limit is not None and isinstance(data.train, ImageDataset):
        data.train = _few(data.train, limit, seed)
        data.test = None if data.test is None else _few(data.test, limit, seed)
    return data


def _loader(source: str, is_path: bool) -> Callable[[_Request], Data]:
    """What `source`, which is not built in, must be: a folder that exists, or else a Hub id."""
    if not source:
        raise DataError("source is empty: give a built-in name, a folder or the id of a data set on the Hub.")
    if is_path or os.path.exists(os.path.expanduser(source)):
        return _folder
    # A Hub id is "name" or "owner/name", perhaps with ":configuration"; everything else can only be meant as a path.
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?(:[^/\\]+)?", source):
        existing_folder(source)  # raises: it does not exist
    near = difflib.get_close_matches(source.lower().replace("_", "-"), BUILT_IN, n=1, cutoff=0.7)
    if near and "/" not in source and source != "fashion_mnist":  # the last is an id that the Hub knows
        raise DataError(f"There is no built-in data set {source!r}: did you mean {near[0]!r}?")
    return _hub


def _photo_patches(request: _Request) -> Data:
    request.reject("photo-patches", "image_column", "label_column", "split", "test_split", "streaming")
    splits = [photo_patches(n, split, seed=request.seed) for split, n in PATCHES_PER_PHOTO.items()]
    return _in_memory(request, request.source, splits, DESCRIPTION, LICENCE)


def _fashion_mnist(request: _Request) -> Data:
    request.reject("fashion-mnist", "image_column", "label_column", "split", "test_split", "streaming")
    folder = fashion_mnist_folder()
    splits = [idx_split(folder, split, FASHION_MNIST) for split in ("train", "test")]
    if None in splits:
        raise DataError(f"{folder} lacks the train or the t10k files: run `apt-get install dataset-fashion-mnist`.")
    description = "Fashion-MNIST: 28-pixel grey pictures of 10 kinds of clothing, 60000 to train and 10000 to test."
    return _in_memory(request, request.source, splits, description, "MIT (Zalando SE)")


def _folder(request: _Request) -> Data:
    folder = existing_folder(request.source)
    if is_idx_folder(folder):
        what = f"the idx files of {folder}"
        request.reject(what, "image_column", "label_column", "split", "test_split", "streaming")
        train, test = idx_split(folder, "train"), idx_split(folder, "test")
        if train is None:
            raise DataError(f"{folder} has no train-images-idx3-ubyte(.gz): give the folder that does.")
        if test is None:
            train, test = _split(train, request)
        return _in_memory(request, folder.resolve().name, [train, test], f"The idx files of {folder}.", OWN_LICENCE)
    if _holds_tables(folder):
        return _hub(request)
    request.reject(f"the image folder {folder}", "image_column", "label_column", "streaming")
    train, test = folder_splits(
        folder,
        seed=request.seed,
        test_fraction=request.test_fraction,
        split=request.split,
        test_split=request.test_split,
        channels=request.channels or 3,
        max_unreadable=request.max_unreadable,
    )
    classes = f"{len(train.label_names)} classes, one subfolder each" if train.label_names else "no labels"
    description = f"The {len(train) + len(test or ())} images of the folder {folder.resolve().name}, {classes}."
    return Data(folder.resolve().name, train, test, train.label_names, description, OWN_LICENCE)


def _hub(request: _Request) -> Data:
    folder = Path(request.source).expanduser()
    source = str(folder) if folder.is_dir() else request.source
    columns = (request.image_column, request.label_column)
    options = {"channels": request.channels or 3, "max_unreadable": request.max_unreadable}
    train, test = load_hub(source, split=request.split, test_split=request.test_split, streaming=request.streaming)
    info = train.info
    if request.streaming:
        buffer = {"shuffle_buffer": SHUFFLE_BUFFER, "seed": request.seed}
        train = HubStream(train, *columns, **options, limit=request.limit, **buffer)
        test = None if test is None else HubStream(test, *columns, **options, limit=request.limit)
    else:
        train = HubImages(train, *columns, **options)
        if test is None:
            train, test = _split(train, request)
        else:
            test = HubImages(test, *columns, **options)
            share_label_names(train, test)
    labels = f"labels from column {train.label_column!r}" if train.label_column else "no labels"
    about = " ".join(info.description.split()) if info.description else "A data set read by the datasets library."
    licence = info.license or "Not stated in the data set's metadata: see its card."
    description = f"{about} Images from column {train.image_column!r}, {labels}."
    name = folder.resolve().name if folder.is_dir() else source
    return Data(name, train, test, train.label_names, description, licence)


def _in_memory(request: _Request, name: str, splits: list, description: str, licence: str) -> Data:
    if request.channels == 3:
        for dataset in filter(None, splits):
            dataset.images = dataset.images.expand(-1, 3, -1, -1)  # a view: three channels, the memory of one
    train, test = splits
    return Data(name, train, test, train.label_names, description, licence)


def _split(dataset: TensorImages | HubImages, request: _Request) -> tuple:
    train, test = split_indices(len(dataset), dataset.labels, request.test_fraction, request.seed)
    if dataset.labels is None or not test:
        return dataset, None
    return dataset.subset(train), dataset.subset(test)


def _few(dataset: ImageDataset, limit: int, seed: int) -> ImageDataset:
    return dataset if len(dataset) <= limit else dataset.subset(few_indices(len(dataset), dataset.labels, limit, seed))


def _holds_tables(folder: Path) -> bool:
    """Whether `folder` is something for the datasets library: saved by it, or Parquet or WebDataset files."""
    # Only the two places where such files usually are: looking everywhere would take minutes on a large image folder.
    places = [f"{place}*.{extension}" for place in ("", "data/") for extension in ("parquet", "arrow", "tar")]
    return is_saved(folder) or (any(any(folder.glob(place)) for place in places) and not find_images(folder))


BUILT_IN = {"photo-patches": _photo_patches, "fashion-mnist": _fashion_mnist}
