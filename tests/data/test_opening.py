"""Pictures that were made to keep the reader busy, to fill the memory, or to start something else."""

import io
import os
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from hf_ssl.checks.regular_files import UnreadableError
from hf_ssl.data import as_image_dataset, load_data
from hf_ssl.data.images import decode_image
from hf_ssl.data.opening import SCANS, TIFF_VALUES, open_image
from hf_ssl.data.unreadable import read_header, reason_of

from .pictures import classes

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
RED = Image.new("RGB", (50, 40), "red")


def encoded(image=RED, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_with(*chunks):
    png = encoded()
    return png[:33] + b"".join(chunks) + png[33:]


def png_claiming(width, height):
    return (
        png_with()[:16] + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))[8:] + png_with()[33:]
    )


def jpeg_claiming(width, height):
    jpeg = encoded(kind="JPEG")
    at = jpeg.find(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def jpeg_of_scans(count):
    jpeg = encoded(kind="JPEG", progressive=True)
    return jpeg[:-2] + jpeg[jpeg.rfind(b"\xff\xda") : -2] * count + jpeg[-2:]


def baseline_of_scans(count):
    """Not progressive, but with a scan for each colour, again and again."""
    jpeg = encoded(kind="JPEG", subsampling=0)
    at = jpeg.find(b"\xff\xda")
    return jpeg[:at] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * count + jpeg[at:]


def tiff(*entries):
    """Of 100 x 10 pixels, with these fields (tag, type, count, place) beside the necessary ones."""
    fields = [(256, 4, 1, 100), (257, 4, 1, 10), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
    fields = sorted({field[0]: field for field in [*fields, (279, 4, 1, 1000), *entries]}.values())
    packed = b"".join(struct.pack("<HHLL", *field) for field in fields)
    return b"II*\0" + struct.pack("<LH", 8, len(fields)) + packed + bytes(4 * TIFF_VALUES + 8000)


def gif_with_comment(blocks):
    gif = encoded(Image.new("P", (20, 20)), "GIF")
    at = 13 + (3 * 2 ** ((gif[10] & 7) + 1) if gif[10] & 128 else 0)
    return gif[:at] + b"!\xfe" + (b"\xff" + b"a" * 255) * blocks + b"\0" + gif[at:]


HOSTILE = {
    "PostScript": (EPS, "its content is text, not an image"),
    "a text that is inflated": (
        png_with(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2_000_000)))),
        "MAX_TEXT_CHUNK",
    ),
    "a million empty parts": (png_with(chunk(b"abCd", b"") * 100_000), "too many parts"),
    "a part of 2 GB": (png_with(struct.pack(">I", 2**31 - 1) + b"tEXt"), "truncated|damaged"),
    "no pixels": (png_claiming(0, 5), "claims a size of 0 x 5|damaged|no image"),
    "a header of 4 gigapixels": (png_claiming(65_500, 65_500), "claims more than 178956970 pixels"),
    "the same in a JPEG": (jpeg_claiming(65_500, 65_500), "claims more than 178956970 pixels"),
    "a header of 121 megapixels": (png_claiming(11_000, 11_000), "11000 x 11000 pixels, more than the 100 million"),
    "a line": (png_claiming(1, 100_000_000), "1 x 100000000 pixels, too narrow"),
    "slow pixels": (encoded(Image.new("L", (7000, 6000)), "JPEG2000"), "JPEG2000 takes too long"),
    "pixels in text": (b"P3 5000 5000 255\n1 2 3", "this kind of PPM takes too long"),
    "pixels of 12 bits": (b"P5 5000 5000 4095\n1 2 3", "this kind of PPM takes too long"),
    "scans": (jpeg_of_scans(SCANS), f"it has {SCANS + 10} scans of 50 x 40 pixels"),
    "scans that are not progressive": (baseline_of_scans(SCANS + 1), f"it has {SCANS + 2} scans of 50 x 40 pixels"),
    "markers": (b"\xff\xd8" + b"\xff\xfe\0\2" * 50_000 + encoded(kind="JPEG")[2:], "too many parts"),
    "strips": (tiff((273, 4, TIFF_VALUES + 1, 200)), "field of 131073 numbers"),
    "fractions": (tiff((282, 5, 2**31, 200)), "field of 2147483648 numbers"),
    "fields": (tiff(*((i, 3, 1, 1) for i in range(1000, 6000))), "it has 5007 fields about itself"),
    "a comment in pieces": (gif_with_comment(50_000), "too many parts"),
}


@pytest.mark.parametrize(("content", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_pictures_have_a_reason(content, reason):
    with pytest.raises(Exception) as caught:  # noqa: PT011, of any type: Pillow's are many
        decode_image(content)
    said = reason_of(caught.value, content)
    assert re.search(reason, said) and "\n" not in said, said


@pytest.mark.parametrize(
    "content",
    [
        jpeg_of_scans(20),
        encoded(kind="JPEG", progressive=True),
        encoded(kind="MPO", save_all=True, append_images=[RED]),
        encoded(kind="GIF", save_all=True, append_images=[Image.new("RGB", (50, 40), (i, 0, 0)) for i in range(300)]),
        encoded(kind="TIFF", compression="tiff_lzw", save_all=True, append_images=[RED] * 50),
        encoded(kind="WEBP", save_all=True, append_images=[Image.new("RGB", (50, 40))] * 20),
        encoded(kind="PPM"),
        b"P5 50 40 4095\n" + bytes(50 * 40 * 2),
        encoded(kind="BMP"),
        encoded(kind="AVIF"),
        encoded(kind="JPEG2000"),
        encoded(Image.new("L", (100, 10)), "TIFF"),
        tiff(),
    ],
)
def test_usual_ones_are_read(content):
    assert decode_image(content).shape[0] == 3
    assert read_header(content, decode_image)[:2] == tuple(decode_image(content).shape[:0:-1])


def test_orientations_that_are_none_leave_the_image_as_it_is():
    for value in (0, 9, 300):
        exif = Image.Exif()
        exif[0x0112] = value
        content = encoded(kind="JPEG", exif=exif)
        assert read_header(content, decode_image)[:2] == (50, 40) and decode_image(content).shape == (3, 40, 50)
    damaged = encoded(kind="JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    assert read_header(damaged, decode_image)[:2] == (50, 40) and decode_image(damaged).shape == (3, 40, 50)


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "real.png").write_bytes(encoded())
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    for file, reason in (
        (tmp_path / "pipe.png", "it is a pipe, socket or device"),
        ("/dev/zero", "it is a pipe, socket or device"),
        (tmp_path / "folder.png", "it is a folder"),
        ("a\0b.png", "its name holds a zero byte"),
    ):
        with pytest.raises(UnreadableError, match=reason), open_image(file):
            pass
    assert decode_image(tmp_path / "link.png").shape == (3, 40, 50)
    images = as_image_dataset([str(tmp_path / name) for name in ("real.png", "pipe.png", "link.png", "folder.png")])
    assert [reason for _, reason in images.unreadable()] == ["it is a pipe, socket or device", "it is a folder"]


def test_a_file_that_is_larger_than_what_is_on_the_disk(tmp_path):
    for name, reason in (("WEBP", "parts of more than 256 MB"), ("AVIF", "parts of more than"), ("BMP", "1100 GB")):
        (tmp_path / name).write_bytes(encoded(kind=name))
        os.truncate(tmp_path / name, 2**40)
        with pytest.raises(UnreadableError, match=reason):
            decode_image(tmp_path / name)


def test_links_in_the_folder_of_a_user_are_followed(tmp_path):
    classes(tmp_path / "elsewhere", {"cat": 2, "dog": 2})
    for name in ("cat", "dog"):
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / "mine" / name).symlink_to(tmp_path / "elsewhere" / name)
    (tmp_path / "mine" / "one.png").symlink_to(tmp_path / "elsewhere" / "cat" / "000.png")
    assert len(load_data(tmp_path / "mine", test_fraction=0).train) == 5


def test_no_program_is_started_for_a_picture_that_somebody_else_opened(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr("subprocess.check_call", lambda *arguments, **options: started.append(arguments))
    monkeypatch.setattr("subprocess.Popen", lambda *arguments, **options: started.append(arguments))
    lazy = Image.open(io.BytesIO(EPS))
    assert isinstance(lazy, ImageFile.ImageFile)
    (tmp_path / "a.png").write_bytes(EPS)
    for source in (lazy, EPS, tmp_path / "a.png", {"bytes": EPS, "path": "a.eps"}, {"path": str(tmp_path / "a.png")}):
        with pytest.raises(ValueError) if source is lazy else pytest.raises(OSError):
            decode_image(source)
    assert not started


def test_pixels_that_are_no_numbers_are_refused():
    values = np.full((20, 20), 0.5, np.float32)
    assert decode_image(encoded(Image.fromarray(values), "TIFF")).shape == (3, 20, 20)
    for bad in (np.nan, np.inf, -np.inf):
        values[3, 4] = bad
        with pytest.raises(ValueError, match="NaN or infinite"):
            decode_image(encoded(Image.fromarray(values), "TIFF"))
