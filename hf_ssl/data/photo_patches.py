"""The embedded data set: which of 16 photographs is this patch from? Made from the pictures inside scikit-image."""

from importlib import resources

import numpy as np
import torch
from PIL import Image

from .errors import DataError
from .opening import open_image
from .tensors import TensorImages

PHOTOS = (
    "astronaut brick camera cell chelsea coffee coins grass gravel hubble_deep_field ihc moon motorcycle_left page "
    "retina rocket"
).split()

DESCRIPTION = (
    "{} 32-pixel patches of the 16 photographs and micrographs inside the scikit-image wheel; left halves to "
    "train, right halves to test. A texture protocol ('which picture is this patch from, unseen half'), not "
    "object recognition."
)
LICENCE = (
    "Read from your installed scikit-image, not redistributed. Its documentation gives 13 of the pictures as CC0, "
    "public domain or without known copyright restrictions; for moon, page and motorcycle_left (from the Middlebury "
    "2014 stereo benchmark) it states no licence."
)

LONGEST_SIDE = 600  # pixels; larger photographs are reduced first, so that a crop is a comparable part of each
LARGEST_CROP = 190  # pixels; `page` is 191 high


def photo_patches(
    n: int, split: str, crop: int = 40, size: int = 32, seed: int = 0, channels: int = 1
) -> TensorImages:
    """
    Random patches of each photograph, in memory.

    Args:
        n (`int`): patches per photograph.
        split (`str`): `"train"` (left halves) or `"test"` (right halves). The two share no pixel of the photograph.
        crop (`int`, *optional*, defaults to 40): side of the square cut out, in pixels of the photograph.
        size (`int`, *optional*, defaults to 32): side of the patch it is resized to, in pixels.
        seed (`int`, *optional*, defaults to 0): where the crops are; the splits draw from separate streams.
        channels (`int`, *optional*, defaults to 1): 1 for gray, 3 for RGB, eight of the pictures have no colours.

    Returns:
        [`TensorImages`]: 16 * n images `(channels, size, size)`, class by class.

    Raises:
        DataError: without scikit-image, or on an argument that makes no sense.
    """
    if split not in ("train", "test"):
        raise DataError(f"split={split!r}: photo-patches has the splits 'train' and 'test'.")
    if n < 1 or seed < 0 or not 1 <= crop <= LARGEST_CROP or size < 1:
        raise DataError(
            f"n={n}, seed={seed}, crop={crop}, size={size}: give n, size >= 1, seed >= 0, crop 1 to {LARGEST_CROP}."
        )
    generator = np.random.default_rng(seed if split == "train" else [seed, 1])
    patches = np.empty((len(PHOTOS), n, size, size, channels), dtype=np.uint8)
    for label, name in enumerate(PHOTOS):
        photo = _photo(name, "L" if channels == 1 else "RGB")
        width, height = photo.size
        low, high = (0, width // 2 - crop) if split == "train" else (width // 2, width - crop)
        for i in range(n):
            x, y = generator.integers(low, high), generator.integers(0, height - crop)
            # Crop, then resize: `resize(box=...)` would let the filter see pixels of the other half.
            patch = photo.crop((x, y, x + crop, y + crop)).resize((size, size))
            patches[label, i] = np.asarray(patch).reshape(size, size, channels)
    images = torch.from_numpy(patches).flatten(0, 1).permute(0, 3, 1, 2).contiguous()
    return TensorImages(images, torch.arange(len(PHOTOS)).repeat_interleave(n), PHOTOS)


def _photo(name: str, mode: str) -> Image.Image:
    try:
        folder = resources.files("skimage") / "data"
    except ModuleNotFoundError as error:
        raise DataError('photo-patches needs scikit-image: run `pip install "hf_ssl[demo]"`.') from error
    for extension in (".png", ".jpg"):
        file = folder / (name + extension)
        if file.is_file():
            with open_image(file.read_bytes()) as opened:
                photo = opened.convert(mode)
            photo.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            return photo
    raise DataError(
        f"The installed scikit-image has no picture {name!r} in {folder}: run `pip install scikit-image==0.26`."
    )
