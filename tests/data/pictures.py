"""Folders of small pictures."""

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


def damage(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def files(images):
    """The files of an `ImageFolder`, relative to its root."""
    return [images.path(i).relative_to(images.root).as_posix() for i in range(len(images))]
