"""
The one door through which pictures are opened: our formats only, regular files only, and only what is cheap to decode.

Limits of time were measured on a slow core: what is let through is decoded within about five seconds.
"""

import io
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from ..checks.regular_files import UnreadableError, open_regular

# The formats we open, whatever the file is called. Not "all that Pillow knows": its EPS reader starts Ghostscript.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF", "DIB")

LONGEST_TO_SHORTEST = 200  # sides; a view resized by its shorter side would need gigabytes beyond
LARGEST = 100  # million pixels; in JPEG files, of which only an eighth is decoded where that is enough, Pillow's limit
LARGEST_FILE = 4 << 30  # bytes; 100 million pixels of four channels with 16 bits each are 0.8 GB
# Formats whose decoders are slow, by pixels or by bytes: how many millions of each may be in a file.
SLOW = {"JPEG2000": (40, 12), "WEBP": (80, 32), "AVIF": (80, 32)}
PYTHON_DECODERS = {"ppm": 4, "ppm_plain": 4, "bmp_rle": 32}  # million values that Pillow decodes without C
SCANS, SCANNED_PIXELS = 100, 4_000_000_000  # of a progressive JPEG, which decodes all pixels again for each scan
PROGRESSIVE_BYTES = 64_000_000
TIFF_VALUES = 2**17  # numbers in one field, such as the places of its strips

# What a reader may spend: bytes, and for each call of `read` so many more.
HEADER_BYTES, HEADER_CALL = 2**24, 2**10
TIFF_HEADER_BYTES = 2**28  # image editors keep their layers there
BODY_BYTES, BODY_CALL = 2**27, 2**9
LARGEST_READ = 2**28  # bytes in one piece


class _Metered:
    """A file whose reader is stopped when it reads too much or too often, as a file made to keep it busy has it do."""

    def start(self, size: int) -> None:
        self.size, self.left, self.call = size, HEADER_BYTES, HEADER_CALL

    def allow(self, count: int, call: int) -> None:
        self.left, self.call = count, call

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            size = self.size
        if size > LARGEST_READ and self.size > LARGEST_READ:
            raise UnreadableError(f"it has parts of more than {LARGEST_READ >> 20} MB, too many to be safe")
        data = super().read(size)
        self.left -= len(data) + self.call
        if self.left < 0:
            raise UnreadableError("it has too many parts, or too large ones, to be safe")
        return data


class _File(_Metered, io.BufferedReader):
    pass


class _Bytes(_Metered, io.BytesIO):
    pass


@contextmanager
def open_image(source: str | os.PathLike | bytes, decode: bool = True) -> Iterator[Image.Image]:
    """
    A picture of which the header has been read, and judged by what it says.

    Args:
        source: the name of a file, or its content.
        decode (`bool`, *optional*, defaults to `True`): whether it is to be decoded, and not just asked for its size;
            some costs show only in the whole file.

    Raises:
        UnreadableError: if it is no regular file, or would cost too much.
        Exception: whatever Pillow raises on what is none of our formats, or damaged.
    """
    if isinstance(source, (str, os.PathLike)):
        descriptor = open_regular(source)
        file = _File(io.FileIO(descriptor))
        file.start(os.fstat(descriptor).st_size)
    else:
        file = _Bytes(source)
        file.start(len(source))
    with file:
        if file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            _check_tiff(file)
            file.allow(TIFF_HEADER_BYTES, HEADER_CALL)
        file.seek(0)
        with Image.open(file, formats=FORMATS) as opened:
            file.allow(BODY_BYTES + min(8 * file.size, 2**30), BODY_CALL)
            _judge(opened, file.size)
            if decode and opened.format in ("JPEG", "MPO"):
                _check_scans(opened, file)
            yield opened


def _judge(image: Image.Image, size: int) -> None:
    width, height = image.size
    short, long = sorted(image.size)
    if size > LARGEST_FILE:
        raise UnreadableError(f"its file has {size / 1e9:.0f} GB, more than a picture that can be read")
    if short < 1:
        raise UnreadableError(f"it claims a size of {width} x {height} pixels")
    if long > LONGEST_TO_SHORTEST * short:
        raise UnreadableError(f"it has {width} x {height} pixels, too narrow to be used (1 to {LONGEST_TO_SHORTEST})")
    if image.format not in ("JPEG", "MPO") and width * height > LARGEST * 1e6:
        raise UnreadableError(
            f"it has {width} x {height} pixels, more than the {LARGEST} million that are read: cut it into pieces"
        )
    if image.format in SLOW:
        pixels, count = SLOW[image.format]
        if width * height > pixels * 1e6 or size > count * 1e6:
            raise UnreadableError(
                f"it has {width} x {height} pixels in {size / 1e6:.0f} MB, and {image.format} takes too long to "
                f"decode beyond {pixels} million pixels or {count} MB: convert it to JPEG or PNG"
            )
    limit = PYTHON_DECODERS.get(image.tile[0][0]) if image.tile else None
    if limit is not None and width * height * len(image.getbands()) > limit * 1e6:
        raise UnreadableError(
            f"it has {width} x {height} pixels, and this kind of {image.format} takes too long to decode: convert it "
            "to PNG"
        )


def _check_scans(image: Image.Image, file: _Metered) -> None:
    """A JPEG may tell its pixels in any number of scans."""
    place = file.tell()
    if image.format == "JPEG" and "progressive" not in image.info:
        file.seek(place - 2 * image.layers - 4)  # the header of the first scan has just been read
        if file.read(1) == bytes([image.layers]):  # with all the colours: it is the only one
            file.seek(place)
            return
    file.seek(0)
    scans = file.read().count(b"\xff\xda")
    file.seek(place)
    if (
        scans > SCANS
        or scans * image.size[0] * image.size[1] > SCANNED_PIXELS
        or (image.format == "JPEG" and file.size > PROGRESSIVE_BYTES)
    ):
        raise UnreadableError(
            f"it has {scans} scans of {image.size[0]} x {image.size[1]} pixels, which take too long to decode"
        )


def _check_tiff(file: _Metered) -> None:
    """That no field of the first image holds more numbers than can be meant: Pillow makes objects of all of them."""
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = 43 in head[2:4]
    try:
        if big:
            file.seek(struct.unpack_from(order + "Q", head, 8)[0])
            (count,), entry = struct.unpack(order + "Q", file.read(8)), order + "HHQ8x"
        else:
            file.seek(struct.unpack_from(order + "L", head, 4)[0])
            (count,), entry = struct.unpack(order + "H", file.read(2)), order + "HHL4x"
        if count > 2**12:
            raise UnreadableError(f"it has {count} fields about itself, too many to be safe")
        fields = file.read(count * struct.calcsize(entry))
        fields = fields[: len(fields) // struct.calcsize(entry) * struct.calcsize(entry)]
        for _, kind, values in struct.iter_unpack(entry, fields):
            if values > TIFF_VALUES and kind not in (1, 2, 6, 7):  # bytes and text
                raise UnreadableError(f"it has a field of {values} numbers, too many to be safe")
    except (struct.error, OverflowError, OSError):
        pass  # damaged, as Pillow will say better
