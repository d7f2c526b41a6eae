"""What stored values mean is settled once for a data set, and every image of it is read that way."""

import json
import struct
import zlib

import datasets
import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from hf_ssl.data import (
    DataError,
    ImageFolder,
    PixelFormat,
    TensorImages,
    as_image_dataset,
    load_data,
    settle_pixel_format,
)

RANDOM = np.random.default_rng(0)


def ramp(low, high, dtype, size=40):
    return np.linspace(low, high, size * size).reshape(size, size).astype(dtype)


def hot(image, value):
    """The same with one stray pixel."""
    image = image.copy()
    image[3, 5] = value
    return image


COLOR = RANDOM.integers(0, 256, (20, 20, 3), dtype=np.uint8)
GRAY_AS_RGB = np.stack([ramp(0, 255, np.uint8)] * 3, -1)
# Name -> (images, description, the value that becomes 255 and the one that becomes 0)
SETS = {
    "photographs": ([COLOR, GRAY_AS_RGB], "RGB, 8 bits", None),
    "scans": ([GRAY_AS_RGB, ramp(0, 255, np.uint8)], "gray, 8 bits", None),
    "10 bits": ([ramp(0, 1000, np.uint16)], "gray, 10 bits in 16 (maximum 1023), scaled to 0..255", (0, 1023)),
    "12 bits": (
        [ramp(0, 300, np.uint16), ramp(0, 4095, np.uint16), ramp(0, 30, np.uint16)],
        "gray, 12 bits in 16 (maximum 4095), scaled to 0..255",
        (0, 4095),
    ),
    "16 bits": ([ramp(0, 40000, np.uint16)], "gray, 16 bits, scaled to 0..255", (0, 65535)),
    "8 bits in 16": ([ramp(0, 255, np.uint16)], "gray, 8 bits in 16 (maximum 255), scaled to 0..255", (0, 255)),
    "signed": ([ramp(-1024, 3071, np.int32)], "gray, integers -1024 to 3071, scaled to 0..255", (-1024, 3071)),
    "32 bits": ([ramp(0, 2e6, np.int32)], "gray, integers 0 to 2000000, scaled to 0..255", (0, 2e6)),
    "0 to 1": ([ramp(0, 1, np.float32)], "gray, floats 0 to 1, scaled to 0..255", (0, 1)),
    "overshoot": ([ramp(-0.03, 1.02, np.float32)], "gray, floats 0 to 1, scaled to 0..255", (0, 1)),
    "dark photographs": ([ramp(0, 0.3, np.float32)], "gray, floats 0 to 1, scaled to 0..255", (0, 1)),
    "0 to 255": ([ramp(0, 256.5, np.float32)], "gray, floats 0 to 255, scaled to 0..255", (0, 255)),
    "both": (
        [COLOR, ramp(0, 4000, np.uint16), ramp(0, 1, np.float32)],
        "RGB, 8 bits and 12 bits in 16 (maximum 4095) and floats 0 to 1, scaled to 0..255",
        None,
    ),
}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("as_files", [False, True])
def test_a_data_set_has_one_format(tmp_path, name, as_files):
    images, description, limits = SETS[name]
    if as_files:
        for i, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / f"{i}.tif")
        dataset = ImageFolder(tmp_path)
    else:
        dataset = as_image_dataset(images)
    found = dataset.pixel_format
    assert found.describe() == description
    assert PixelFormat.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    if limits is not None:
        low, high = limits
        for stored, sample in zip(images, dataset, strict=False):
            expected = ((stored.astype(np.float64) - low) / (high - low) * 255).clip(0, 255)
            assert (sample["image"][1] - torch.from_numpy(expected)).abs().max() <= 0.51
            assert sample["image"].float().std() > 0


STRAY = {
    "a hot pixel of 12 bits": (hot(ramp(0, 4000, np.uint16, 128), 65535), (0, 4095), "integers"),
    "a hot pixel of 0 to 1": (hot(ramp(0, 1, np.float32), 500), (0, 1), "floats"),
    "a hot pixel of 0 to 255": (hot(ramp(0, 255, np.float32), -1e9), (0, 255), "floats"),
    "a hot pixel of -3 to 7": (hot(ramp(-3, 7, np.float32), 1e9), (-3, 7), "floats"),
    "-3 to 7": (ramp(-3, 7, np.float32), (-3, 7), "floats"),
    "0 to 40000": (ramp(0, 40000, np.float64), (0, 40000), "floats"),
    "reflectance": (ramp(0.001, 0.06, np.float32), (0.001, 0.06), "floats"),
    "millions": (ramp(4e6, 5e6, np.float32), (4e6, 5e6), "floats"),
}


@pytest.mark.parametrize("name", STRAY)
def test_a_stray_value_changes_nothing(name):
    image, limits, field = STRAY[name]
    found = vars(settle_pixel_format([image, image]))[field]
    assert found == pytest.approx(limits, rel=0.005, abs=0.005 * (limits[1] - limits[0]))


def test_subsets_and_test_parts_are_read_like_the_whole(tmp_path):
    for split, maximum in (("train", 4095), ("test", 200)):
        for label in "ab":
            (tmp_path / split / label).mkdir(parents=True)
            Image.fromarray(ramp(0, maximum, np.uint16)).save(tmp_path / split / label / "x.png")
    data = load_data(tmp_path)
    assert data.train.pixel_format == data.test.pixel_format and data.test.pixel_format.integers == (0, 4095)
    assert data.test[0]["image"].max() == 12
    whole = as_image_dataset([ramp(0, 60, np.uint16), ramp(0, 4095, np.uint16)])
    part = whole.subset([0])
    assert whole.pixel_format is part.pixel_format


def test_the_users_format_wins():
    dataset = as_image_dataset([ramp(0, 100, np.uint16)])
    dataset.pixel_format = PixelFormat(integers=(0, 100))
    assert dataset.subset([0])[0]["image"].max() == 255
    with pytest.raises(ValueError, match="is none that hf_ssl writes"):
        PixelFormat.from_dict({"maximum": 3})
    for fields in ({"integers": (1, 0)}, {"channels": 4}, {"bands": 2}):
        with pytest.raises(ValueError, match="give"):
            PixelFormat(**fields)


def test_bands_that_nobody_has_explained_are_refused_once(tmp_path):
    images = [COLOR, *[np.zeros((8, 8, 4), np.uint8)] * 3]
    with pytest.raises(DataError, match="has 4 bands of unknown meaning"):
        as_image_dataset(images)
    dataset = as_image_dataset(images, pixel_format=PixelFormat(bands=3))
    assert dataset[1]["image"].shape == (3, 8, 8)


@pytest.mark.parametrize("maximum", [1023, 4095, 65535])
def test_colours_that_pillow_would_make_black_are_refused(tmp_path, maximum):
    for i in range(3):
        values = RANDOM.integers(0, maximum + 1, (20, 20, 3)).astype(">u2")
        rows = b"".join(b"\0" + row.tobytes() for row in values)
        header = struct.pack(">IIBBBBB", 20, 20, 16, 2, 0, 0, 0)  # 16 bits, RGB
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        packed = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
        (tmp_path / f"{i}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    if maximum == 65535:
        assert ImageFolder(tmp_path)[0]["image"].max() > 250
        return
    with pytest.raises(DataError, match=f"save them with 8 bits a colour, value / {maximum} \\* 255"):
        ImageFolder(tmp_path)[0]


def test_broken_images_do_not_count(tmp_path):
    for i in range(5):
        (tmp_path / f"{i}.png").write_bytes(b"broken")
    Image.fromarray(ramp(0, 4095, np.uint16)).save(tmp_path / "5.png")
    Image.fromarray(np.full((8, 8), np.nan, np.float32)).save(tmp_path / "6.tif")
    dataset = ImageFolder(tmp_path, max_unreadable=1.0)
    assert dataset.pixel_format == PixelFormat(is_gray=True, has_bytes=False, integers=(0, 4095))
    assert dataset[6]["index"] == 5 and "6.tif" in dataset.report()
    assert settle_pixel_format([]) == PixelFormat()


def test_only_headers_are_read_of_8_bit_files(tmp_path, monkeypatch):
    for i in range(80):
        Image.fromarray(COLOR).save(tmp_path / f"{i:02}.png")
    loaded = []
    load = ImageFile.ImageFile.load
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: loaded.append(image) or load(image))
    dataset = ImageFolder(tmp_path)
    assert not dataset.pixel_format.is_gray and len({id(image) for image in loaded}) == 1  # to see its colours


def test_reduce_to_is_for_one_data_set():
    dataset = as_image_dataset([RANDOM.integers(0, 256, (40, 60, 3), dtype=np.uint8)])
    dataset.reduce_to(20)
    assert dataset[0]["image"].shape == (3, 20, 30)
    dataset.reduce_to(None)
    assert dataset[0]["image"].shape == (3, 40, 60)


def test_images_in_memory_have_a_format():
    gray, rgb = torch.zeros(5, 1, 8, 8, dtype=torch.uint8), torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    assert TensorImages(gray).pixel_format == PixelFormat(channels=1, is_gray=True)
    assert TensorImages(gray.expand(-1, 3, -1, -1)).pixel_format == PixelFormat(is_gray=True)
    assert TensorImages(rgb).pixel_format == PixelFormat()


@pytest.mark.parametrize("as_hub", [True, False])
def test_a_stream_has_the_format_of_its_first_images(as_hub):
    images = [ramp(0, 4095, np.uint16), ramp(0, 100, np.uint16)]
    if as_hub:
        rows = datasets.Dataset.from_dict({"image": [Image.fromarray(image) for image in images]})
        stream = as_image_dataset(rows.cast_column("image", datasets.Image()).to_iterable_dataset())
    else:

        class Images(torch.utils.data.IterableDataset):
            def __iter__(self):
                return iter(images)

        stream = as_image_dataset(Images())
    assert stream.pixel_format.integers == (0, 4095)
    assert [sample["image"].max() for sample in stream] == [255, 6]
    stream.reduce_to(10)
    assert next(iter(stream))["image"].shape == (3, 10, 10)
