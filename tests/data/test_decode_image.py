"""Every kind of image becomes the right uint8 pixels."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from hf_ssl.data import decode_image

RED_LEFT = np.zeros((5, 6, 3), np.uint8)  # left half red, right half blue
RED_LEFT[:, :3, 0] = 255
RED_LEFT[:, 3:, 2] = 255


def pixel(tensor, y=0, x=0):
    return tensor[:, y, x].tolist()


def saved(image, tmp_path, name, **options):
    image.save(tmp_path / name, **options)
    return decode_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.gif", "a.tif", "a.ppm", "A.PNG"])
def test_lossless_formats_keep_their_pixels(tmp_path, name):
    decoded = saved(Image.fromarray(RED_LEFT), tmp_path, name)
    assert decoded.dtype == torch.uint8 and decoded.permute(1, 2, 0).is_contiguous()
    assert torch.equal(decoded, torch.from_numpy(RED_LEFT).permute(2, 0, 1))


def test_webp_and_jpeg_are_close(tmp_path):
    image = Image.fromarray(np.kron(RED_LEFT, np.ones((8, 8, 1), np.uint8)))
    for name in ("a.webp", "a.jpg"):
        decoded = saved(image, tmp_path, name, quality=95)
        assert decoded.shape == (3, 40, 48)
        assert (decoded[:, 0, 0] - torch.tensor([255, 0, 0])).abs().max() < 12


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side: turn clockwise by 90 degrees to view
    decoded = saved(Image.fromarray(RED_LEFT), tmp_path, "a.png", exif=exif)
    assert decoded.shape == (3, 6, 5)
    assert pixel(decoded, 0, 0) == [255, 0, 0] and pixel(decoded, 5, 0) == [0, 0, 255]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_cost_the_image():
    buffer = io.BytesIO()
    Image.fromarray(RED_LEFT).save(buffer, "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff broken")
    assert decode_image(buffer.getvalue()).shape == (3, 5, 6)


def test_transparency_goes_over_white(tmp_path):
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0] = (255, 0, 0, 255)
    rgba[0, 1] = (0, 0, 0, 127)
    decoded = saved(Image.fromarray(rgba), tmp_path, "a.png")
    assert pixel(decoded) == [255, 0, 0] and pixel(decoded, 1, 1) == [255, 255, 255]
    assert pixel(decoded, 0, 1) == [128, 128, 128]
    la = saved(Image.fromarray(np.zeros((2, 2, 2), np.uint8), "LA"), tmp_path, "b.png")
    assert la.unique().tolist() == [255]


def test_palette_with_and_without_transparency(tmp_path):
    palette = Image.fromarray(RED_LEFT).quantize(2)
    assert pixel(saved(palette, tmp_path, "a.png")) == [255, 0, 0]
    see_through = saved(palette, tmp_path, "b.png", transparency=palette.getpixel((0, 0)))
    assert pixel(see_through) == [255, 255, 255] and pixel(see_through, 0, 5) == [0, 0, 255]


def test_cmyk_jpeg(tmp_path):
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    decoded = saved(image, tmp_path, "a.jpg", quality=95)
    assert decoded[0].float().mean() > 240 and decoded[1:].float().mean() < 15


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, name):
    values = np.array([[0, 257, 25700, 65535]], np.uint16)
    decoded = saved(Image.fromarray(values), tmp_path, name)
    assert decoded[0].tolist() == [[0, 1, 100, 255]] and torch.equal(decoded[0], decoded[2])


def test_float_integer_and_bilevel_files(tmp_path):
    unit = saved(Image.fromarray(np.array([[0.0, 0.5, 1.0]], np.float32)), tmp_path, "unit.tif")
    assert unit[0].tolist() == [[0, 128, 255]]
    byte = saved(Image.fromarray(np.array([[0.0, 100.0, 255.0]], np.float32)), tmp_path, "byte.tif")
    assert byte[0].tolist() == [[0, 100, 255]]
    signed = saved(Image.fromarray(np.array([[-1.0, 0.0, 1.0, np.nan]], np.float32)), tmp_path, "signed.tif")
    assert signed[0].tolist() == [[0, 128, 255, 128]]
    wide = saved(Image.fromarray(np.array([[0, 70000, 140000]], np.int32)), tmp_path, "wide.tif")
    assert wide[0].tolist() == [[0, 128, 255]]
    bilevel = saved(Image.fromarray(np.array([[True, False]])), tmp_path, "bilevel.png")
    assert bilevel[0].tolist() == [[255, 0]]
    constant = saved(Image.fromarray(np.full((1, 2), 1e6, np.float32)), tmp_path, "constant.tif")
    assert constant.unique().tolist() == [0]


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (5, 4), color) for color in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert pixel(decode_image(tmp_path / "a.gif")) == [255, 0, 0]
    frames[0].save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=frames[1:])
    assert pixel(decode_image(tmp_path / "phone.jpg"))[0] > 240


def test_one_channel(tmp_path):
    Image.new("RGB", (5, 4), "white").save(tmp_path / "a.png")
    assert decode_image(tmp_path / "a.png", channels=1).shape == (1, 4, 5)
    assert decode_image(tmp_path / "a.png", channels=1).unique().tolist() == [255]


def test_a_one_pixel_image():
    assert decode_image(Image.new("L", (1, 1), 7)).flatten().tolist() == [7, 7, 7]


def test_bytes_dicts_pil_arrays_and_tensors_agree(tmp_path):
    image, buffer = Image.fromarray(RED_LEFT), io.BytesIO()
    image.save(buffer, "PNG")
    image.save(tmp_path / "a.png")
    first = torch.from_numpy(RED_LEFT).permute(2, 0, 1)
    sources = {
        "bytes": buffer.getvalue(),
        "str": str(tmp_path / "a.png"),
        "dict of bytes": {"bytes": buffer.getvalue(), "path": "name-in-the-archive.png"},
        "dict of a path": {"bytes": None, "path": str(tmp_path / "a.png")},
        "PIL": image,
        "channels last": RED_LEFT,
        "channels first": RED_LEFT.transpose(2, 0, 1),
        "floats": RED_LEFT / 255,
        "tensor": first,
        "float tensor": first / 255,
        "bfloat16 tensor": (first / 255).bfloat16(),
        "channels last tensor": first.permute(1, 2, 0),
        "integers": RED_LEFT.astype(np.int64),
    }
    for name, source in sources.items():
        assert torch.equal(decode_image(source), first), name


def test_the_callers_image_is_left_alone():
    image = Image.fromarray(RED_LEFT)
    image.getexif()[0x0112] = 6
    decode_image(image)
    assert image.size == (6, 5)


@pytest.mark.parametrize("cell", [None, 3, {"bytes": None, "path": None}, np.zeros((2, 2, 5)), np.zeros((0, 3))])
def test_what_is_no_image(cell):
    with pytest.raises(ValueError):
        decode_image(cell)


def test_normalised_images_are_refused():
    with pytest.raises(ValueError, match="before any normalisation"):
        decode_image(torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0)))


def test_a_postscript_file_is_never_run():
    with pytest.raises(Image.UnidentifiedImageError):
        decode_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
