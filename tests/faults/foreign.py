"""Files of formats that hf_ssl does not open, by their names: what Pillow would, and what nobody should."""

import io
import pickle
import struct
import zipfile
from collections.abc import Callable

import numpy as np

from .material import picture


def _by_pillow(name: str, mode: str = "RGB") -> Callable[[], bytes]:
    def make() -> bytes:
        buffer = io.BytesIO()
        picture(7, (32, 32)).convert(mode).save(buffer, name)
        return buffer.getvalue()

    return make


def _postscript() -> bytes:
    return (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 36\n%%EndComments\n"
        b"(/tmp/written) (w) file closefile\n40 36 scale showpage\n%%EOF\n"
    )


def _flic() -> bytes:
    frame = struct.pack("<IHH8x", 16, 0xF1FA, 0)
    header = struct.pack("<IHHHHHHI", 128 + len(frame), 0xAF12, 1, 40, 36, 8, 3, 50)
    return header.ljust(128, b"\0") + frame


def _photoshop() -> bytes:
    return b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 36, 40, 8, 3) + bytes(12) + b"\0\0" + bytes(3 * 40 * 36)


def _metafile() -> bytes:
    return b"\xd7\xcd\xc6\x9a\0\0" + struct.pack("<hhhhHIH", 0, 0, 40, 36, 96, 0, 0) + b"\1\0\t\0" + bytes(40)


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", _by_pillow("PNG")())
    return buffer.getvalue()


def _numpy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((36, 40, 3), np.uint8))
    return buffer.getvalue()


FOREIGN: dict[str, Callable[[], bytes]] = {
    **{
        name: _by_pillow(name)
        for name in ("PCX", "TGA", "ICO", "ICNS", "SGI", "PDF", "DDS", "IM", "BLP", "QOI")
        if name not in ("BLP",)
    },
    "XBM": _by_pillow("XBM", "1"),
    "MSP": _by_pillow("MSP", "1"),
    "SPIDER": _by_pillow("SPIDER", "F"),
    "EPS": _postscript,
    "FLI": _flic,
    "PSD": _photoshop,
    "WMF": _metafile,
    "SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="36"><image href="/etc/passwd"/></svg>',
    "XPM": lambda: b'/* XPM */\nstatic char *x[] = {\n"1 1 1 1",\n"a c #ffffff",\n"a"};\n',
    "FITS": lambda: b"SIMPLE  =                    T".ljust(2880) + bytes(2880),
    "GRIB": lambda: b"GRIB" + bytes(100) + b"7777",
    "HDF5": lambda: b"\x89HDF\r\n\x1a\n" + bytes(100),
    "HEIC": lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200),
    "MP4": lambda: b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(200),
    "HTML": lambda: b"<!doctype html><html><img src='http://127.0.0.1/'></html>",
    "text": lambda: b"no picture\n" * 20,
    "zeros": lambda: bytes(1000),
    "ZIP": _zip,
    "NPY": _numpy,
    "pickle": lambda: pickle.dumps(np.zeros((36, 40, 3), np.uint8)),
}
