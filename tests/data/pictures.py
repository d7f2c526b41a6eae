"""Folders of small pictures."""

import numpy as np
from PIL import Image


def write(path, value=0, size=(6, 5)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)
    return path


def classes(root, counts, suffix=".png"):
    """`counts[name]` pictures in every subfolder `name`, each of another gray."""
    value = 0
    for name, count in counts.items():
        for i in range(count):
            write(root / name / f"{i:03d}{suffix}", value)
            value = (value + 1) % 256
    return root


def bright_and_dark(root, count, varied=False):
    """`count` random pictures in `bright/` and in `dark/`; with `varied`, of several heights, modes and formats."""
    generator = np.random.default_rng(0)
    for label in ("bright", "dark"):
        (root / label).mkdir(parents=True)
        for i in range(count):
            height = 33 + i if varied else 40
            pixels = generator.integers(0, 128, (height, 40, 3)) + 127 * (label == "bright")
            picture = Image.fromarray(pixels.astype(np.uint8))
            mode, ending = [("RGB", "png"), ("L", "png"), ("CMYK", "jpg")][i % 3] if varied else ("RGB", "png")
            picture.convert(mode).save(root / label / f"{i}.{ending}")
    return root


def damage(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def files(images):
    """The files of an `ImageFolder`, relative to its root."""
    return [images.path(i).relative_to(images.root).as_posix() for i in range(len(images))]
