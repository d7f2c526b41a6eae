"""
Images a second from storage to a uint8 batch, in one process: hf_ssl against torchvision and the datasets library.

    python benchmarks/decoding.py

Photographs of scikit-image, cropped: a folder of JPEG files, one of PNG files, a Parquet file of JPEG bytes, and a
memory-mapped array of uint8. Files are read once before the clock starts, so this is decoding, not the disk. Needs
`requirements-peers.txt`.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import datasets
import numpy as np
import torch
from alternating import OURS, alternate, case, write
from photographs import photographs
from torchvision.datasets import ImageFolder
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

from hf_ssl.data import TensorImages, collate_samples, load_data

BATCH = 64
EXTENSIONS = {"JPEG": "jpg", "PNG": "png"}


def fetched(dataset) -> list:
    """A batch of samples as `DataLoader` asks for them."""
    indices = list(range(BATCH))
    return dataset.__getitems__(indices) if hasattr(dataset, "__getitems__") else [dataset[i] for i in indices]


def contestant(dataset, collate: Callable[[list], torch.Tensor]) -> Callable[[], int]:
    return lambda: len(collate(fetched(dataset)))


def ours(dataset) -> Callable[[], int]:
    return contestant(dataset, lambda samples: collate_samples(samples)["image"])


def tensors(samples: Sequence) -> torch.Tensor:
    return torch.stack([image for image, *_ in samples])


def folder(images: torch.Tensor, place: Path, kind: str) -> dict[str, Callable[[], int]]:
    """Contestants on a folder of image files with one class."""
    files = place / kind / "photos"
    files.mkdir(parents=True)
    for i, image in enumerate(images):
        to_pil_image(image).save(files / f"{i:04}.{EXTENSIONS[kind]}")

    def native(path: str) -> torch.Tensor:
        return decode_image(path, ImageReadMode.RGB)

    return {
        OURS: ours(load_data(place / kind).train),
        "torchvision with Pillow": contestant(ImageFolder(files.parent, pil_to_tensor), tensors),
        "torchvision with its decoder": contestant(ImageFolder(files.parent, loader=native), tensors),
    }


def parquet(place: Path) -> dict[str, Callable[[], int]]:
    """Contestants on the JPEG files in one Parquet file."""
    table = datasets.load_dataset("imagefolder", data_dir=str(place / "JPEG"), split="train")
    (place / "parquet").mkdir()
    table.to_parquet(place / "parquet" / "train.parquet")
    decoded = datasets.load_dataset(str(place / "parquet"), split="train").with_format("torch")
    return {
        OURS: ours(load_data(place / "parquet").train),
        "datasets": contestant(decoded, lambda samples: torch.stack([sample["image"] for sample in samples])),
    }


def mapped(images: torch.Tensor, place: Path) -> dict[str, Callable[[], int]]:
    """Contestants on an array in a file."""
    np.save(place / "images.npy", images.numpy())
    array = np.load(place / "images.npy", mmap_mode="r+")  # torch wants it writable

    def one_by_one() -> int:
        return len(torch.stack([torch.from_numpy(array[i].copy()) for i in range(BATCH)]))

    return {OURS: ours(TensorImages(torch.from_numpy(array))), "numpy": one_by_one}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[32, 256])
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cases = []
    for size in args.sizes:
        images = photographs(BATCH, size)
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            sources = {f"folder of {kind} files": folder(images, place, kind) for kind in EXTENSIONS}
            sources |= {"Parquet": parquet(place), "memory-mapped uint8": mapped(images, place)}
            cases += [case(f"{s}, {size} px", alternate(functions, args.rounds)) for s, functions in sources.items()]
    command = f"python benchmarks/decoding.py --rounds {args.rounds}"
    packages = ["torch", "hf_ssl", "Pillow", "torchvision", "datasets"]
    write("decoding", "Decoding", "Images a second, storage to uint8 batch, one process", command, cases, packages)


if __name__ == "__main__":
    main()
