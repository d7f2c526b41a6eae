"""One name, path or Hub id to a training and a test data set."""

import difflib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..modalities import get_modality
from .base import ImageDataset, require_samples_of, share_label_names
from .decoded import DecodedImages
from .errors import DataError
from .folder import existing_folder
from .folder_splits import split_folder
from .hub import is_saved, load_hub
from .idx import FASHION_MNIST, fashion_mnist_folder, idx_split, is_idx_folder
from .listing import counted
from .photo_patches import DESCRIPTION, LICENCE, photo_patches
from .splits import check_split, choose_test, few, hold_out
from .stream import HubStream
from .summary import Data

COLOR_PATCHES = "photo-patches-color"
PATCHES_PER_PHOTO = {"train": 400, "test": 100}
SHUFFLE_BUFFER = 1000  # files, not pixels: about 100 MB of photographs
OWN_LICENCE = "Not stated: the licence is whatever the images of this folder came with."


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
    label_level: int | None
    exclude: Sequence[str | os.PathLike]
    max_unreadable: float | None
    streaming: bool
    limit: int | None
    channels: int | None
    text_column: str | None
    modality: str

    def load(self, part: str):
        """The class of the data sets of this modality that the row names under `part`."""
        return get_modality(self.modality).load(part)

    @property
    def held_out(self) -> tuple[float, int]:
        return self.test_fraction, self.seed

    def reject(self, what: str, *arguments: str) -> None:
        """Raise if an argument was given that this kind of source has no use for."""
        for argument in arguments:
            if vars(self)[argument] is not None and vars(self)[argument] is not False:
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
    label_level: int | None = None,
    exclude: Sequence[str | os.PathLike] = (),
    max_unreadable: float | None = None,
    streaming: bool = False,
    limit: int | None = None,
    channels: int | None = None,
    text_column: str | None = None,
    captions: bool = False,
    modality: str = "image",
) -> Data:
    """
    Images, clips or sounds to train on and to test on.

    Args:
        source (`str` or path, *optional*, defaults to `"photo-patches"`): `"photo-patches"` (embedded),
            `"fashion-mnist"` (Debian's offline copy), a folder of images, of idx files or of a saved data set, or else
            the id of a data set on the Hub.
        seed (`int`, *optional*, defaults to 0): of the patches, of the split, of `limit` and of the streaming order.
            Not the seed of a training: the same seed here gives the same split, so that nothing that was trained on is
            tested on later.
        test_fraction (`float`, *optional*, defaults to 0.2): share of every class to test on, in [0, 1), where a
            labelled source has no test split of its own. An unlabelled one is all for training.
        image_column, label_column (`str`, *optional*): columns of a Hub data set, or of the `metadata.csv` (`.jsonl`,
            `.parquet`) of a folder; found by their type or name by default.
        split, test_split (`str`, *optional*): splits of a Hub data set, or subfolders; found by name by default.
        label_level (`int`, *optional*): the level of folders that names the classes, see [`ImageFolder`].
        exclude (`Sequence[str or Path]`, *optional*): folders below `source` to leave out, such as the output folder.
        max_unreadable (`float`, *optional*): share of unreadable images that is accepted, in [0, 1], see
            [`DecodedImages`].
        streaming (`bool`, *optional*, defaults to `False`): read a Hub data set as it arrives, without storing it.
        limit (`int`, *optional*): at most this many images of each split, the classes as even as they can be.
        channels (`int`, *optional*): 3 (RGB) or 1 (grey); by default 1 for the built-in sources and idx files, else 3.
        text_column (`str`, *optional*): as `label_column`, with the captions.
        captions (`bool`, *optional*, defaults to `False`): read captions, and leave out the images without one.
        modality (`str`, *optional*, defaults to `"image"`): what to read: a row of `hf_ssl/modalities.py`. Built-in
            sources, idx files and streams hold images.

    Returns:
        [`Data`].

    Raises:
        DataError: for a source or an argument that cannot be meant, too many unreadable images, or only one image.
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
    check_split(test_fraction, seed)
    request = _Request(
        source=text,
        seed=seed,
        test_fraction=test_fraction,
        image_column=image_column,
        label_column=label_column,
        split=split,
        test_split=test_split,
        label_level=label_level,
        exclude=exclude,
        max_unreadable=max_unreadable,
        streaming=streaming,
        limit=limit,
        channels=channels,
        text_column=text_column,
        modality=modality,
    )
    loader = BUILT_IN.get(text) if isinstance(source, str) else None
    data = (loader or _loader(text, is_path=not isinstance(source, str)))(request)
    require_samples_of(get_modality(modality), data.train, data.name)
    if isinstance(data.train, DecodedImages) and isinstance(data.test, DecodedImages):
        data.test.pixel_format = data.train.pixel_format
    if captions:
        data.take_captions(text_column)
    else:
        request.reject("images without captions", "text_column")
    if isinstance(data.train, ImageDataset):
        if len(data.train) < 2:
            raise DataError(
                f"{data.name} holds a single {data.train.noun} to train on: give at least two, better some hundreds."
            )
        if limit is not None:
            data.train = few(data.train, limit, seed)
            data.test = None if data.test is None else few(data.test, limit, seed)
    data.record_split(**data.split)
    return data


def _loader(source: str, is_path: bool) -> Callable[[_Request], Data]:
    """What `source`, which is not built in, must be: a folder that exists, or else a Hub id."""
    if not source:
        raise DataError("source is empty: give a built-in name, a folder or the id of a data set on the Hub.")
    expanded = os.path.expanduser(source)
    parent = os.path.dirname(expanded)
    if is_path or os.path.exists(expanded) or (parent and os.path.isdir(parent)):
        return _folder
    # A Hub id is "name" or "owner/name", perhaps with ":configuration"; everything else can only be meant as a path.
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?(:[^/\\]+)?", source):
        existing_folder(source)  # raises: it does not exist
    near = difflib.get_close_matches(source.lower().replace("_", "-"), BUILT_IN, n=1, cutoff=0.7)
    if near and "/" not in source and source != "fashion_mnist":  # the last is an id that the Hub knows
        raise DataError(f"There is no built-in data set {source!r}: did you mean {near[0]!r}?")
    return _hub


def _photo_patches(request: _Request) -> Data:
    request.reject(request.source, *FOR_FILES, "split", "test_split")
    channels = 3 if request.source == COLOR_PATCHES else 1
    splits = [photo_patches(n, split, seed=request.seed, channels=channels) for split, n in PATCHES_PER_PHOTO.items()]
    made_by = {"made_by": "left halves of the photographs to train on, right halves to test on", "seed": request.seed}
    description = DESCRIPTION.format("Color" if channels == 3 else "Gray")
    data = _in_memory(request, request.source, splits, description, LICENCE, made_by, "the photograph of each patch")
    return replace(data, has_upright=False)


def _fashion_mnist(request: _Request) -> Data:
    request.reject("fashion-mnist", *FOR_FILES, "split", "test_split")
    folder = fashion_mnist_folder()
    splits = [idx_split(folder, split, FASHION_MNIST) for split in ("train", "test")]
    if None in splits:
        raise DataError(f"{folder} lacks the train or the t10k files: run `apt-get install dataset-fashion-mnist`.")
    description = "Fashion-MNIST: 28-pixel grey pictures of 10 kinds of clothing, 60000 to train and 10000 to test."
    made_by = {"made_by": "the train files to train on, the t10k files to test on"}
    return _in_memory(request, request.source, splits, description, "MIT (Zalando SE)", made_by, "the label files")


def _folder(request: _Request) -> Data:
    folder = existing_folder(request.source)
    if request.modality == "image" and is_idx_folder(folder):
        request.reject(f"the idx files of {folder}", *FOR_FILES, "split", "test_split")
        train, test = idx_split(folder, "train"), idx_split(folder, "test")
        if train is None:
            raise DataError(f"{folder} has no train-images-idx3-ubyte(.gz): give the folder that does.")
        tests = {} if test is None else {"the test files": test}
        train, test, made_by, left_out = choose_test(train, tests, *request.held_out)
        name, found = folder.resolve().name, f"The idx files of {folder}."
        data = _in_memory(request, name, [train, test], found, OWN_LICENCE, made_by, "the label files")
        data.left_out = left_out
        return data
    if is_saved(folder):
        return _hub(request)
    folder_of = request.load("folder")
    listing = folder_of.list_files(folder, request.exclude)
    if listing.tables and not len(listing.files):
        return _hub(request, listing.tables)
    request.reject(f"the image folder {folder}", "image_column", "streaming")
    whole = folder_of(
        folder,
        channels=request.channels or 3,
        max_unreadable=request.max_unreadable,
        label_level=request.label_level,
        label_column=request.label_column,
        listing=listing,
        labelled=False,
    )
    parts = split_folder(whole, request.split, request.test_split)
    train, test, made_by = parts.train, parts.test, {"made_by": parts.made_by}
    if test is None:
        train, test, made_by = hold_out(train, *request.held_out)
    classes = f"{len(train.label_names)} classes ({train.labels_from})" if train.label_names else "no labels"
    number = counted(len(train) + len(test or ()), train.noun)
    description = f"The {number} of the folder {folder.resolve().name}, {classes}."
    data = Data(folder.resolve().name, train, test, train.label_names, description, OWN_LICENCE, made_by)
    data.labels_from, data.left_out = train.labels_from, parts.left_out
    return data


def _hub(request: _Request, tables: Sequence[str] = ()) -> Data:
    folder = Path(os.path.expanduser(request.source))
    source = str(folder) if folder.is_dir() else request.source
    name = folder.resolve().name if folder.is_dir() else source
    request.reject(f"the data set {source}", "label_level")
    columns = (request.image_column, request.label_column)
    options = {
        "channels": request.channels or 3,
        "max_unreadable": request.max_unreadable,
        "folders": [source] if folder.is_dir() else [],
    }
    splits = {"split": request.split, "test_split": request.test_split}
    found = load_hub(source, **splits, streaming=request.streaming, tables=tables)
    info, left_out = found.train.info, []
    if request.streaming:
        buffer = {"shuffle_buffer": SHUFFLE_BUFFER, "seed": request.seed}
        train = HubStream(found.train, *columns, **options, limit=request.limit, **buffer)
        test_name, test = next(iter(found.tests.items()), (None, None))
        test = None if test is None else HubStream(test, *columns, **options, limit=request.limit)
        made_by = f"split {found.train_name!r} to train on" + (f", {test_name!r} to test on" if test_name else "")
        made_by = {"made_by": made_by}
    else:
        table_of = request.load("table")
        train = _judged(table_of(found.train, *columns, **options), name)
        tests = {f"split {name!r}": table_of(test, *columns, **options) for name, test in found.tests.items()}
        train, test, made_by, left_out = choose_test(train, tests, *request.held_out, asked=found.asked)
        if test is not None and "seed" not in made_by:
            test = _judged(test, name)
            share_label_names(train, test)
    labels = f"labels from column {train.label_column!r}" if train.label_column else "no labels"
    about = " ".join(info.description.split()) if info.description else "A data set read by the datasets library."
    licence = info.license or "Not stated in the data set's metadata: see its card."
    description = f"{about} {request.load('table').noun.capitalize()}s from column {train.image_column!r}, {labels}."
    labels_from = f"column {train.label_column!r}" if train.label_column else "no column names classes"
    return Data(name, train, test, train.label_names, description, licence, made_by, labels_from, left_out)


def _in_memory(
    request: _Request, name: str, splits: list, description: str, licence: str, made_by: dict, labels_from: str
) -> Data:
    if request.channels == 3:
        for dataset in filter(None, splits):
            dataset.images = dataset.images.expand(-1, 3, -1, -1)  # a view: three channels, the memory of one
    train, test = splits
    labels_from = labels_from if train.label_names else ""
    return Data(name, train, test, train.label_names, description, licence, made_by, labels_from)


def _judged(images: DecodedImages, place: str) -> DecodedImages:
    images.place = place
    images.check()
    return images.readable()


FOR_FILES = ("image_column", "label_column", "label_level", "streaming")
BUILT_IN = {"photo-patches": _photo_patches, COLOR_PATCHES: _photo_patches, "fashion-mnist": _fashion_mnist}
