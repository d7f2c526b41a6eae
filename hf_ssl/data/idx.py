"""MNIST's idx files (also Fashion-MNIST, EMNIST, KMNIST): `train-images-idx3-ubyte.gz` and its companions."""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import torch

from ..checks.regular_files import UnreadableError, open_regular
from .errors import DataError
from .tensors import TensorImages

FASHION_MNIST = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"] + [
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]
FASHION_MNIST_VARIABLE = "HF_SSL_FASHION_MNIST"
FASHION_MNIST_FOLDER = "/usr/share/datasets/fashion-mnist"  # where Debian's package dataset-fashion-mnist puts it

_DEFLATE = 1032  # gzip packs no more bytes than this into one


def is_idx_folder(folder: Path) -> bool:
    """Whether `folder` holds idx image files, plain or gzipped."""
    return any(folder.glob("*images*idx3-ubyte*"))


def fashion_mnist_folder() -> Path:
    """The folder of the offline copy: `$HF_SSL_FASHION_MNIST`, or where Debian installs it."""
    folder = Path(os.environ.get(FASHION_MNIST_VARIABLE) or FASHION_MNIST_FOLDER)
    if folder.is_dir() and is_idx_folder(folder):
        return folder
    raise DataError(
        f"fashion-mnist is not in {folder}: run `apt-get install dataset-fashion-mnist`, or set "
        f"{FASHION_MNIST_VARIABLE} to a folder with its four idx .gz files, or use the Hub id "
        "'zalando-datasets/fashion_mnist'."
    )


def idx_split(folder: Path, split: str, label_names: list[str] | None = None) -> TensorImages | None:
    """
    One split of a folder with idx files.

    Args:
        split (`str`): `"train"`, or `"test"` (files named `test` or `t10k`).
        label_names (`list[str]`, *optional*): names of the classes, by default their numbers.

    Returns:
        [`TensorImages`] with images `(1, H, W)`, or None if the folder has no images of this split.

    Raises:
        DataError: on a damaged file, or labels that do not belong to the images.
    """
    tags = ("train",) if split == "train" else ("t10k", "test")
    found = {
        kind: sorted(p for p in folder.glob(f"*{kind}*idx*-ubyte*") if any(tag in p.name for tag in tags))
        for kind in ("images", "labels")
    }
    for kind, files in found.items():
        if len({file.name.removesuffix(".gz") for file in files}) > 1:
            raise DataError(
                f"{folder} has several {split} {kind} files ({', '.join(p.name for p in files)}): keep one."
            )
    if not found["images"]:
        return None
    images = torch.from_numpy(read_idx(found["images"][0], 3)).unsqueeze(1)
    if not found["labels"]:
        return TensorImages(images)
    labels = torch.from_numpy(read_idx(found["labels"][0], 1)).long()
    if len(labels) != len(images):
        raise DataError(
            f"{found['labels'][0]} has {len(labels)} labels for {len(images)} images: download both again."
        )
    names = label_names or [str(i) for i in range(int(labels.max()) + 1 if len(labels) else 0)]
    return TensorImages(images, labels, names)


def read_idx(file: Path, dimensions: int) -> np.ndarray:
    """The uint8 array with `dimensions` axes in an idx file, plain or gzipped."""
    start = 4 + 4 * dimensions
    damaged = DataError(f"{file} is no complete idx file of {dimensions} axes of bytes: download it again.")
    try:
        with open(open_regular(file), "rb") as stored:
            size = os.fstat(stored.fileno()).st_size
            opened = gzip.GzipFile(fileobj=stored) if file.suffix == ".gz" else stored
            # Big-endian: two zero bytes, the type (8 = unsigned byte), the number of axes, then their lengths.
            zeros, kind, axes, *shape = struct.unpack(f">HBB{dimensions}I", opened.read(start))
            count = math.prod(shape)
            if (zeros, kind, axes) != (0, 8, dimensions) or count > size * (_DEFLATE if opened is not stored else 1):
                raise damaged
            data = opened.read(count + 1)  # no more, whatever is packed behind it
    except (OSError, EOFError, struct.error, zlib.error, UnreadableError) as error:
        raise DataError(f"{file} cannot be read ({error}): download it again.") from error
    if len(data) != count:
        raise damaged
    return np.frombuffer(data, np.uint8).reshape(shape).copy()
