"""Any image (file, bytes, PIL, array, tensor) to one uint8 tensor."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from PIL import Image, ImageFile

from ..checks.regular_files import UnreadableError
from .errors import DataError
from .opening import FORMATS, open_image
from .pixels import PixelFormat

SAMPLED = 64  # images that settle the pixel format of a data set
_VALUES = 2**14  # of each of them
_COLOR_CHECKS, _COLOR_SIDE = 16, 64  # images to decode, at 64 pixels, before a data set is called gray
_ORIENTATION, _SAMPLES_PER_PIXEL, _EXTRA_SAMPLES = 0x0112, 277, 338  # tags of EXIF and TIFF
_LONGEST_EXIF = 2**20  # bytes; a JPEG file has at most 64 kB, and reading far more takes seconds
_TURNS = {  # EXIF orientation -> what makes the image upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnknownBandsError(ValueError):
    """An image with bands that nobody has said the meaning of."""


def decode_image(
    image, channels: int = 3, pixel_format: PixelFormat | None = None, shortest_side: int | None = None
) -> torch.Tensor:
    """
    One image as a uint8 tensor.

    EXIF orientation is applied, transparency is composited over white, values of more than 8 bits are scaled to 8 as
    `pixel_format` says, and the first frame of an animation or page of a TIFF is taken.

    Args:
        image: a path, the bytes of a file, `{"bytes": ..., "path": ...}`, a PIL image, an array (H, W) or (H, W, C)
            or a tensor (H, W) or (C, H, W) with C in {1, 3}.
        channels (`int`, *optional*, defaults to 3): 3 for RGB, 1 for grey.
        pixel_format ([`PixelFormat`], *optional*): of the data set; settled from this image alone by default.
        shortest_side (`int`, *optional*): reduce larger images to this many pixels on their short side, which makes
            large photographs several times faster to read; smaller ones stay as they are.

    Returns:
        `torch.Tensor` of dtype uint8 and shape `(channels, height, width)`, in memory pixel by pixel, or by
        planes where `image` is such a tensor already.

    Raises:
        Exception: whatever Pillow raises on a damaged file, or `ValueError` for an array that is no image, for bands
            whose meaning nobody has said, and for values that are NaN or infinite.
    """
    if isinstance(image, torch.Tensor) and image.dtype == torch.uint8 and image.ndim == 3:
        if image.shape[0] == channels and (shortest_side is None or min(image.shape[1:]) <= shortest_side):
            return image.contiguous()
    with _opened(image, pixel_format and pixel_format.bands, shortest_side) as (stored, box):
        orientation = 1
        if isinstance(stored, Image.Image):
            stored.load()  # TIFFs are upright then
            orientation = orientation_of(stored)
        picture = _eight_bits(stored, pixel_format)
    if shortest_side is not None and min(box[2:]) > shortest_side:
        scale = shortest_side / min(box[2:])
        size = tuple(round(side * scale) for side in box[2:])
        picture = picture.resize(size, Image.Resampling.BICUBIC, box, reducing_gap=2.0)
    if orientation in _TURNS:
        picture = picture.transpose(_TURNS[orientation])
    mode = "L" if channels == 1 else "RGB"
    pixels = torch.from_numpy(np.array(picture if picture.mode == mode else picture.convert(mode)))
    # So torch's kernel for uint8 resizes them, at half the time of planes.
    return pixels[None] if channels == 1 else pixels.permute(2, 0, 1)


def settle_pixel_format(images: Iterable, channels: int = 3) -> PixelFormat:
    """
    The pixel format of a data set, from some of its images. Of those of 8 bits little more than the header is read.

    Args:
        images: what [`decode_image`] takes, from all over the data set. Those that cannot be read do not count.
        channels (`int`, *optional*, defaults to 3): of the decoded images.

    Raises:
        DataError: when most of the images have bands whose meaning nobody has said, or colours of 16 bits that use the
            lower ones only, so that Pillow would make them black.
    """
    samples, deep = [], []
    seen = color_checks = unknown = 0
    has_bytes = has_color = False
    reason = None
    for image in images:
        try:
            with _opened(image) as (stored, _):
                numbers, is_gray = _numbers(stored), _is_gray(stored)
                if numbers is not None:
                    samples.append(_some(numbers).copy())  # not a view that keeps all of it
                elif _is_deep(stored):
                    deep.append(int(np.quantile(np.asarray(stored.convert("RGB")), 0.999)))
            if not (is_gray or has_color) and color_checks < _COLOR_CHECKS:
                color_checks += 1
                red, green, blue = decode_image(image, shortest_side=_COLOR_SIDE)
                has_color = not (torch.equal(red, green) and torch.equal(green, blue))
        except UnknownBandsError as error:
            unknown, reason = unknown + 1, error
        except Exception:  # damaged; whoever reads it for training reports it
            continue
        else:
            seen += 1
            has_bytes = has_bytes or numbers is None
    if unknown > seen:
        raise DataError(f"The images cannot be used: {reason}.")
    if len(deep) > seen / 2 and max(deep) < 64:
        bits = 8 + max(deep).bit_length()
        raise DataError(
            f"The images have 16 bits a colour and use the lower {bits}, but Pillow reads the upper 8: save them with "
            f"8 bits a colour, value / {2**bits - 1} * 255."
        )
    return PixelFormat.of(samples, channels=channels, is_gray=bool(seen) and not has_color, has_bytes=has_bytes)


def file_of(image):
    """The name or the content of the file that holds an image, or the PIL image that somebody else has opened."""
    if isinstance(image, dict):
        # Bytes first: a path beside them is often only the name that the file had in an archive.
        image = image.get("path") if image.get("bytes") is None else image["bytes"]
    if isinstance(image, Image.Image):
        # What has not been decoded yet would be now, and in some formats by another program.
        if isinstance(image, ImageFile.ImageFile) and image.tile and image.format not in (*FORMATS, "MPO"):
            raise UnreadableError(f"it is a picture of the format {image.format}, which is not read")
    elif not isinstance(image, (bytes, bytearray, memoryview, str, os.PathLike)):
        raise UnreadableError(f"no image, but {type(image).__name__}")
    return image


@contextmanager
def _opened(image, bands: int | None = None, shortest_side: int | None = None) -> Iterator[tuple]:
    """
    The image as it is stored: a PIL image, of a file only the header yet, or an array (H, W) or (H, W, 3); and its
    extent (0, 0, width, height) in pixels. Large JPEGs will be decoded at a half, a quarter or an eighth of their size
    where that is still at least `shortest_side`, and then their extent may end within a pixel.
    """
    if isinstance(image, (torch.Tensor, np.ndarray)):
        array = _array(image, bands)
        yield array, (0, 0, array.shape[1], array.shape[0])
        return
    image = file_of(image)
    if isinstance(image, Image.Image):
        yield _with_known_bands(image, bands), (0, 0, *image.size)
        return
    with open_image(image) as opened:
        drafted = None if shortest_side is None else opened.draft(None, (shortest_side, shortest_side))
        yield _with_known_bands(opened, bands), drafted[1] if drafted else (0, 0, *opened.size)


def _with_known_bands(image: Image.Image, bands: int | None) -> Image.Image:
    if image.format == "TIFF":
        stored, extra = image.tag_v2.get(_SAMPLES_PER_PIXEL, 1), image.tag_v2.get(_EXTRA_SAMPLES, ())
        # Pillow takes a fourth band without a word for alpha, and one that is "unspecified" for nothing.
        if stored in (2, 4) and image.mode in ("L", "LA", "RGB", "RGBA") and not set(extra) & {1, 2, 999}:
            if bands is None:
                raise UnknownBandsError(
                    f"it has {stored} bands and does not say that the last is transparency; save it with "
                    f"{stored - 1}, or mark the last as alpha (ExtraSamples)"
                )
            return image.convert("RGB" if stored == 4 else "L")
    return image


def orientation_of(image: Image.Image) -> int:
    """How it lies, as EXIF counts: 1 is upright, and 5 to 8 turn it by a quarter."""
    try:
        if len(image.info.get("exif", b"")) > _LONGEST_EXIF:
            return 1
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # damaged EXIF raises many types, and its pixels are still good
        return 1
    return orientation if orientation in _TURNS else 1


def _array(array: np.ndarray | torch.Tensor, bands: int | None) -> np.ndarray:
    """(H, W) or (H, W, 3). Where both are possible, tensors have their channels first and arrays last."""
    axes = (-1, 0)
    if isinstance(array, torch.Tensor):
        array, axes = array.detach().cpu(), (0, -1)
        array = array.float().numpy() if array.dtype == torch.bfloat16 else array.numpy()
    shape = tuple(array.shape)
    if array.ndim not in (2, 3) or 0 in shape or array.dtype.kind not in "buif":
        raise ValueError(
            f"an array of shape {shape} of {array.dtype} is no image: give (H, W), (H, W, 3) or (3, H, W)"
        )
    if array.ndim == 2:
        return array
    axis = next((axis for axis in axes if shape[axis] in (1, 3)), None)
    if axis is None:
        axis = axes[0] if shape[axes[0]] <= shape[axes[1]] else axes[1]
        if bands is None or bands > shape[axis]:
            raise UnknownBandsError(
                f"an array of shape {shape} has {shape[axis]} bands of unknown meaning; give the three that are red, "
                "green and blue, or one; transparency needs a PIL image in mode RGBA"
            )
        array = array.take(range(bands), axis)
    array = np.moveaxis(array, axis, -1)
    return array[..., 0] if array.shape[-1] == 1 else array


def _numbers(stored: Image.Image | np.ndarray) -> np.ndarray | None:
    """The stored numbers where they may need scaling; None for a PIL image of 8 bits."""
    if isinstance(stored, Image.Image):
        if stored.mode[0] not in "IF":  # I, I;16, I;16B, F
            return None
        stored = np.asarray(stored)
    if stored.dtype.kind == "f" and not np.isfinite(stored).all():
        raise ValueError("it holds values that are NaN or infinite")
    return stored


def _eight_bits(stored: Image.Image | np.ndarray, pixel_format: PixelFormat | None) -> Image.Image:
    """A picture in mode L or RGB."""
    numbers = _numbers(stored)
    if numbers is not None:
        pixel_format = pixel_format or PixelFormat.of([_some(numbers)])
        return Image.fromarray(np.ascontiguousarray(pixel_format.to_uint8(numbers)))
    if stored.has_transparency_data:
        stored = stored.convert("RGBA")
        stored = Image.alpha_composite(Image.new("RGBA", stored.size, "white"), stored)
    return stored if stored.mode in ("L", "RGB") else stored.convert("RGB")


def _is_gray(stored: Image.Image | np.ndarray) -> bool:
    """Whether there is no more than one band, and transparency."""
    if isinstance(stored, np.ndarray):
        return stored.ndim == 2
    return stored.mode[0] in "IF1L" and stored.mode != "LAB"


def _is_deep(image: Image.Image) -> bool:
    """Whether a file, of which only the header has been read, has colours of 16 bits."""
    file = isinstance(image, ImageFile.ImageFile) and image.mode in ("RGB", "RGBA")
    return file and any(";16" in str(tile) for tile in image.tile)


def _some(values: np.ndarray) -> np.ndarray:
    """Some of the values, evenly spread."""
    return values.reshape(-1)[:: -(-values.size // _VALUES)]
