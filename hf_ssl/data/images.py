"""Any image (file, bytes, PIL, array, tensor) to one uint8 tensor."""

import io
import os

import numpy as np
import torch
from PIL import Image, ImageOps

# The formats we open, whatever the file is called. Not "all that Pillow knows": its EPS reader starts Ghostscript.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF", "DIB")
EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")

_ORIENTATION = 0x0112  # the EXIF tag


def decode_image(image, channels: int = 3) -> torch.Tensor:
    """
    One image as a uint8 tensor.

    EXIF orientation is applied, transparency is composited over white, 16-bit values are scaled to 8 bits, and the
    first frame of an animation is taken.

    Args:
        image: a path, the bytes of a file, `{"bytes": ..., "path": ...}`, a PIL image, an array (H, W) or (H, W, C)
            or a tensor (H, W) or (C, H, W) with C in {1, 3, 4}. Floats lie in 0..1 or 0..255.
        channels (`int`, *optional*, defaults to 3): 3 for RGB, 1 for grey.

    Returns:
        `torch.Tensor` of dtype uint8 and shape `(channels, height, width)`, in memory pixel by pixel, or by
        planes where `image` is such a tensor already.

    Raises:
        Exception: whatever Pillow raises on a damaged file, or `ValueError` for an array that is no image.
    """
    if isinstance(image, torch.Tensor):
        if image.dtype == torch.uint8 and image.ndim == 3 and image.shape[0] == channels:
            return image.contiguous()
        image = image.detach().cpu().float().numpy() if image.dtype == torch.bfloat16 else image.detach().cpu().numpy()
        # Tensors are channels first by convention; arrays are channels last.
        if image.ndim == 3 and (image.shape[0] in (1, 3, 4) or image.shape[-1] not in (1, 3, 4)):
            image = np.moveaxis(image, 0, -1)
    if isinstance(image, np.ndarray):
        image = _from_array(image)
    if isinstance(image, Image.Image):
        return _to_tensor(image, channels)
    if isinstance(image, dict):
        # Bytes first: a path beside them is often only the name that the file had in an archive.
        image = image["path"] if image.get("bytes") is None else image["bytes"]
    if isinstance(image, (bytes, bytearray, memoryview)):
        image = io.BytesIO(image)
    elif not isinstance(image, (str, os.PathLike)):
        raise ValueError(f"no image, but {type(image).__name__}")
    with Image.open(image, formats=FORMATS) as opened:
        return _to_tensor(opened, channels)


def _to_tensor(image: Image.Image, channels: int) -> torch.Tensor:
    image.load()
    image = _upright(image)
    if image.mode.startswith("I;16"):
        image = Image.fromarray(_scaled(np.asarray(image), 65535))
    elif image.mode in ("I", "F"):
        # PPM and PNG files in mode "I" are 16-bit; in TIFF anything goes, so the values decide.
        if image.mode == "F":
            maxima = (1, 255, 65535)
        else:
            maxima = (65535,) if image.format in ("PPM", "PNG") else (255, 65535)
        image = Image.fromarray(_by_range(np.asarray(image), maxima))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    pixels = torch.from_numpy(np.array(image))
    # So torch's kernel for uint8 resizes them, at half the time of planes.
    return pixels[None] if channels == 1 else pixels.permute(2, 0, 1)


def _upright(image: Image.Image) -> Image.Image:
    try:
        if image.getexif().get(_ORIENTATION, 1) == 1:  # spares the copy that `exif_transpose` always makes
            return image
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF raises many types, and its pixels are still good
        return image


def _from_array(array: np.ndarray) -> Image.Image:
    if array.ndim == 3 and array.shape[-1] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or 0 in array.shape or (array.ndim == 3 and array.shape[-1] not in (3, 4)):
        raise ValueError(f"an array of shape {tuple(array.shape)} is no image; give (H, W), (H, W, C) or (C, H, W)")
    if array.dtype == np.uint16:
        array = _scaled(array, 65535)
    elif array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif array.dtype != np.uint8:
        if array.min() < 0 or array.max() > 255 or not np.isfinite(array).all():
            raise ValueError(
                f"values {array.min():.3g} to {array.max():.3g} are no pixels; give uint8, or floats in 0..1 or "
                "0..255, before any normalisation"
            )
        array = _by_range(array, (1, 255) if array.dtype.kind == "f" else (255,))
    return Image.fromarray(np.ascontiguousarray(array))


def _scaled(array: np.ndarray, maximum: float) -> np.ndarray:
    return (array.astype(np.float32) * (255.0 / maximum)).round().clip(0, 255).astype(np.uint8)


def _by_range(array: np.ndarray, maxima: tuple[int, ...]) -> np.ndarray:
    """To 0..255, by the first of `maxima` that holds every value, or else from the smallest value to the largest."""
    array = np.nan_to_num(array.astype(np.float64), posinf=0.0, neginf=0.0)  # float64: 32-bit integers fit
    low, high = float(array.min()), float(array.max())
    for maximum in maxima:
        if low >= 0 and high <= maximum:
            return _scaled(array, maximum)
    return _scaled(array - low, (high - low) or 1.0)
