"""Valid material of every kind, tiny, that the cases damage a copy of."""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers.utils import logging

from hf_ssl.hub import export_pretrained, write_card

from ..conftest import build_model, build_processor

REPOSITORIES = {"simclr": "vit", "mae": "vit", "dino": "resnet", "moco_v2": "resnet", "barlow_twins": "vit"}
SHARDED = "simclr"  # a second copy of it has its weights in many files
CLASSES = ("cats", "dogs")
# Extension -> how Pillow is asked to write it; every format that hf_ssl opens.
PICTURES = {
    "jpg": {"quality": 90},
    "png": {},
    "gif": {},
    "bmp": {},
    "webp": {"lossless": True},
    "tif": {},
    "ppm": {},
    "pgm": {},
    "jp2": {"irreversible": False},
    "avif": {"quality": 90},
    "dib": {},
}


def picture(seed: int, size: tuple[int, int] = (40, 36)) -> Image.Image:
    """A smooth coloured picture, another for every seed."""
    generator = np.random.default_rng(seed)
    coarse = Image.fromarray(generator.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


def make_photos(folder: Path, count: int = 12) -> Path:
    """A folder of two classes, half PNG and half JPEG."""
    for i in range(count):
        place = folder / CLASSES[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        picture(i).save(place / f"{i:02}.{'png' if i % 4 < 2 else 'jpg'}")
    return folder


def make_repository(method: str, folder: Path, **options) -> Path:
    """What `hf-ssl pretrain` would leave, with a card, of a tiny network."""
    model, processor = build_model(method, REPOSITORIES[method]).eval(), build_processor(method)
    card = write_card(model, processor, repo_id="me/one", license="mit")
    return export_pretrained(model, processor, folder, card, **options)


def make_all(home: Path) -> Path:
    """
    Everything below `home`: `repositories/METHOD`, `sharded`, `checkpoints/METHOD` as the Trainer writes them,
    `photos`, and one picture of every format in `pictures`.
    """
    logging.disable_progress_bar()
    for method in REPOSITORIES:
        folder = make_repository(method, home / "repositories" / method)
        shutil.copytree(folder / "pretraining", home / "checkpoints" / method)
    make_repository(SHARDED, home / "sharded", max_shard_size="40KB")
    make_photos(home / "photos")
    (home / "pictures").mkdir()
    for extension, options in PICTURES.items():
        image = picture(99).convert("L") if extension == "pgm" else picture(99)
        image.save(home / "pictures" / f"one.{extension}", **options)
    return home


def read_json(file: Path) -> dict:
    return json.loads(file.read_text())


def read_safetensors(file: Path) -> tuple[dict, bytes]:
    """The header, and the bytes behind it."""
    data = file.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def safetensors(header: dict | bytes, body: bytes, length: int | None = None) -> bytes:
    """A file of this header; `length` is what it claims the header to have."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


def tensor_bytes(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()
