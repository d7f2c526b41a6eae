"""Every kind of image becomes the right uint8 pixels."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from hf_ssl.data import PixelFormat, decode_image

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


ALONE = {  # an image without a data set: what its own values say
    "0 to 1": (np.float32([0.0, 0.5, 1.0]), [0, 128, 255]),
    "a little above 1": (np.float32([0.0, 0.5, 1.02]), [0, 128, 255]),
    "0 to 255": (np.float32([0.0, 100.0, 255.0]), [0, 100, 255]),
    "physical": (np.float32([-3.0, 1.0, 7.0]), [0, 102, 255]),
    "wide floats": (np.float32([0.0, 30000.0, 40000.0]), [0, 191, 255]),
    "dim floats": (np.float32([0.0, 0.005, 0.02]), [0, 64, 255]),
    "constant": (np.float32([1e6, 1e6, 1e6]), [0, 0, 0]),
    "black": (np.float32([0, 0, 0]), [0, 0, 0]),
    "wide integers": (np.int32([0, 28000, 140000]), [0, 51, 255]),
    "signed integers": (np.int32([-1000, -600, 1000]), [0, 51, 255]),
    "8 bits in 16": (np.uint16([0, 100, 255]), [0, 100, 255]),
    "12 bits in 16": (np.uint16([0, 819, 4095]), [0, 51, 255]),
    "16 bits": (np.uint16([0, 25700, 65535]), [0, 100, 255]),
    "two levels": (np.array([True, False, True]), [255, 0, 255]),
}


@pytest.mark.parametrize("kind", ALONE)
def test_values_of_more_than_8_bits(tmp_path, kind):
    values, expected = ALONE[kind]
    assert saved(Image.fromarray(values[None]), tmp_path, "a.tif")[0].tolist() == [expected]
    for array in (values[None], np.stack([values[None]] * 3, -1), torch.from_numpy(values)[None, None]):
        assert decode_image(array)[1].tolist() == [expected]


def test_an_image_with_holes_says_why_it_cannot_be_read(tmp_path):
    for hole in (np.nan, np.inf):
        values = np.array([[-1.0, hole]], np.float32)
        Image.fromarray(values).save(tmp_path / "a.tif")
        for image in (tmp_path / "a.tif", values, torch.from_numpy(values)):
            with pytest.raises(ValueError, match="NaN or infinite"):
                decode_image(image)


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


BANDS = {
    "four last": (np.zeros((8, 9, 4), np.uint8), "has 4 bands of unknown meaning"),
    "four first": (np.zeros((4, 8, 9), np.uint8), "has 4 bands of unknown meaning"),
    "two": (np.zeros((8, 9, 2), np.uint8), "has 2 bands of unknown meaning"),
    "four of a tensor": (torch.zeros(4, 8, 9), "has 4 bands of unknown meaning"),
    "a volume": (np.zeros((2, 8, 9, 3)), "is no image"),
}


@pytest.mark.parametrize("kind", BANDS)
def test_bands_of_unknown_meaning_are_refused(kind):
    image, message = BANDS[kind]
    with pytest.raises(ValueError, match=message):
        decode_image(image)


def test_the_user_may_have_the_first_bands():
    image = np.arange(8 * 9 * 4, dtype=np.uint8).reshape(8, 9, 4)
    for stored in (image, image.transpose(2, 0, 1)):
        assert torch.equal(decode_image(stored, 3, PixelFormat(bands=3)), decode_image(image[..., :3]))
        assert torch.equal(decode_image(stored, 1, PixelFormat(bands=1)), decode_image(image[..., 0], 1))


def tiff(tmp_path, mode, extra):
    """A TIFF of which the last band is of this kind: 0 unspecified, 1 and 2 alpha, None not mentioned."""
    buffer = io.BytesIO()
    size, bands = (9, 8), len(mode)
    Image.frombytes(mode, size, bytes(range(8 * 9)) * bands).save(buffer, "TIFF")
    data = bytearray(buffer.getvalue())
    with Image.open(buffer) as image:
        start = image.tag_v2._offset if extra is not None else None
    entry = b"\x52\x01\x03\x00\x01\x00\x00\x00\x02\x00"  # ExtraSamples, one short, alpha
    at = data.index(entry)
    data[at : at + 10] = entry[:8] + bytes([extra, 0]) if extra is not None else b"\x53\x01" + entry[2:8] + b"\x01\x00"
    (tmp_path / "a.tif").write_bytes(data)
    return tmp_path / "a.tif", start


@pytest.mark.parametrize("extra", [0, 1, 2, None])
def test_the_fourth_band_of_a_tiff_is_alpha_where_the_file_says_so(tmp_path, extra):
    file, _ = tiff(tmp_path, "RGBA", extra)
    if extra:
        assert decode_image(file).shape == (3, 8, 9)
        return
    with pytest.raises(ValueError, match="has 4 bands and does not say that the last is transparency"):
        decode_image(file)
    first = decode_image(file, 3, PixelFormat(bands=3))
    assert first[:, 0, 0].tolist() == [0, 1, 2] and first[:, 0, 1].tolist() == [4, 5, 6]


def test_arrays_have_their_channels_last_and_tensors_first():
    wide = np.zeros((3, 8, 3), np.uint8)
    assert decode_image(wide).shape == (3, 3, 8) and decode_image(torch.from_numpy(wide)).shape == (3, 8, 3)
    assert decode_image(np.zeros((1, 8, 3), np.uint8)).shape == (3, 1, 8)
    assert decode_image(np.zeros((3, 8, 4), np.uint8)).shape == (3, 8, 4)  # no other reading makes sense


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize("size", [(640, 400), (401, 640), (640, 401)])
def test_reducing_while_decoding_is_a_plain_resize(tmp_path, name, size):
    rough = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    image = Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / name, exif=exif, quality=95)
    whole = Image.fromarray(decode_image(tmp_path / name).permute(1, 2, 0).numpy())
    for side in (50, 64, 133):
        reduced = decode_image(tmp_path / name, shortest_side=side)
        assert min(reduced.shape[1:]) == side
        plain = whole.resize(reduced.shape[:0:-1], Image.Resampling.BICUBIC)
        difference = (reduced - torch.from_numpy(np.array(plain)).permute(2, 0, 1).float()).abs()
        assert abs(reduced.shape[1] / reduced.shape[2] - whole.height / whole.width) < 0.03
        assert difference.mean() < 1.5 and difference.max() < 24


def test_smaller_images_are_not_reduced(tmp_path):
    Image.fromarray(RED_LEFT).save(tmp_path / "a.png")
    for image in (tmp_path / "a.png", RED_LEFT, torch.from_numpy(RED_LEFT).permute(2, 0, 1)):
        for side in (5, 6, 100):
            assert torch.equal(decode_image(image, shortest_side=side), decode_image(tmp_path / "a.png"))
        assert decode_image(image, shortest_side=4).shape == (3, 4, 5)


def test_the_callers_jpeg_is_not_reduced(tmp_path):
    Image.new("RGB", (640, 400)).save(tmp_path / "a.jpg")
    image = Image.open(tmp_path / "a.jpg")
    assert decode_image(image, shortest_side=40).shape == (3, 40, 64) and image.size == (640, 400)


def test_a_postscript_file_is_never_run():
    with pytest.raises(Image.UnidentifiedImageError):
        decode_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
