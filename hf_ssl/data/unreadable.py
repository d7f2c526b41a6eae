"""Images that cannot be read: why, and how many of them are too many."""

import math
import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from ..checks.regular_files import UnreadableError, open_regular
from .images import file_of, orientation_of
from .opening import open_image

HEADERS = 2000  # images whose header is read when a data set is judged
DECODED = 64  # images that are decoded then, fewer if they are large, but at least
DECODED_AT_LEAST = 8
DECODED_PIXELS = 64_000_000  # together; about a second
_KNOWN = ((b"%pdf", "a PDF"), (b"<svg", "an SVG drawing"), (b"<html", "a web page"), (b"<!doctype html", "a web page"))


class Header(NamedTuple):
    """What is known of an image before it is decoded: its size in pixels, upright, and the format of its file."""

    width: int
    height: int
    format: str | None


def spread(count: int, wanted: int) -> list[int]:
    """`wanted` evenly spread indices of `count`, or all: data sets are often sorted by class."""
    wanted = min(count, wanted)
    return [i * count // wanted for i in range(wanted)]


def read_header(image, decode: Callable) -> Header:
    """The header of anything that `decode` takes. Raises what Pillow raises, or `decode` of what has no header."""
    if isinstance(image, (np.ndarray, torch.Tensor)):
        height, width = decode(image).shape[-2:]
        return Header(width, height, None)
    image = file_of(image)
    if isinstance(image, Image.Image):
        return Header(*image.size, image.format)
    with open_image(image, decode=False) as opened:
        width, height = opened.size
        # Only a JPEG file has its orientation in the header; in others it may come after the pixels.
        if opened.format in ("JPEG", "MPO") and orientation_of(opened) >= 5:
            width, height = height, width
        return Header(width, height, opened.format)


def to_decode(headers: dict[int, Header]) -> list[int]:
    """Evenly spread keys of `headers` that are cheap to decode: without those of far more pixels than the others."""
    pixels = {row: header.width * header.height for row, header in headers.items()}
    if len(pixels) <= DECODED and sum(pixels.values()) <= DECODED_PIXELS:
        return list(pixels)
    usual = sorted(pixels.values())[len(pixels) // 2]
    rows = [row for row, count in pixels.items() if count <= 2 * usual]
    wanted = max(DECODED_PIXELS * len(rows) // sum(pixels[row] for row in rows), DECODED_AT_LEAST)
    return [rows[i] for i in spread(len(rows), min(wanted, DECODED))]


def allowed_unreadable(count: int, share: float | None) -> int:
    """How many of `count` images may be unreadable: `share` of them, or half of a few, 25, or a tenth of many."""
    if share is not None:
        return math.floor(share * count + 1e-9)
    return max(count // 10, min(count // 2, 25))


def at_least(bad: int, tried: int, count: int) -> float:
    """The smallest likely share of bad images among `count`, after `bad` of `tried` (two standard errors below)."""
    if not tried:
        return 0.0
    share = bad / tried
    return share if tried == count else max(share - 2 * math.sqrt(share * (1 - share) / tried), 0.0)


def reason_of(error: Exception, image) -> str:
    """Why an image cannot be read, in plain words. `image` is what was to be decoded."""
    if isinstance(error, UnreadableError):
        return str(error)
    if isinstance(image, dict):
        image = image.get("path") if image.get("bytes") is None else image["bytes"]
    if isinstance(error, FileNotFoundError):
        return "the file is gone"
    if isinstance(error, PermissionError):
        return "no permission to read the file"
    if isinstance(error, Image.DecompressionBombError):
        return f"it claims more than {2 * Image.MAX_IMAGE_PIXELS} pixels, too many to be safe"
    if isinstance(error, UnidentifiedImageError):
        return _content(image)
    if isinstance(error, (ValueError, TypeError)) and not isinstance(image, (bytes, str, os.PathLike)):
        return str(error)
    detail = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if "truncat" in detail.lower() or isinstance(error, EOFError):
        return "the file is truncated"
    return f"the file is damaged ({detail.rstrip('.')})"


def _content(image) -> str:
    """What is in a file that is no image."""
    try:
        if isinstance(image, (str, os.PathLike)):
            with open(open_regular(image), "rb") as opened:
                head = opened.read(512)
        else:
            head = bytes(image[:512])
    except (OSError, ValueError, TypeError) as error:
        return f"the file cannot be opened ({error})"
    if not head:
        return "the file is empty"
    if not any(head):
        return "the file holds nothing but zeros"
    if head[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"):
        return "its content is a HEIC picture: convert it to JPEG"
    start = head.lstrip().lower()
    for magic, what in _KNOWN:
        if start.startswith(magic):
            return f"its content is {what}, not an image"
    try:
        head[:500].decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < 490:  # not just a character that was cut in two
            return "its content is no image of a known format"
    return "its content is text, not an image"
