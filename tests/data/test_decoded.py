"""Images that cannot be read: judged once, over the whole set; replaced; named with their reasons."""

import io
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from hf_ssl.data import DataError, ImageFolder, as_image_dataset, collate_samples, load_data
from hf_ssl.data.images import decode_image
from hf_ssl.data.unreadable import Header, allowed_unreadable, at_least, read_header, reason_of, spread, to_decode

from .pictures import classes, damage, files, write

NOISE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def encoded(kind="JPEG", **options):
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def damaged(tmp_path):
    """30 images of which three cannot be read: truncated, empty, and a text."""
    for i in range(30):
        write(tmp_path / f"{i:02d}.jpg", i, size=(40, 40))
    damage(tmp_path / "03.jpg")
    (tmp_path / "04.jpg").write_bytes(b"")
    (tmp_path / "29.jpg").write_text("this is a text")
    return tmp_path


BAD = ["03.jpg", "04.jpg", "29.jpg"]


def test_every_image_has_the_channels_asked_for(tmp_path):
    Image.new("L", (4, 4), 7).save(tmp_path / "a.png")
    Image.new("RGBA", (4, 4), "red").save(tmp_path / "b.png")
    assert [s["image"].shape[0] for s in ImageFolder(tmp_path).__getitems__([0, 1])] == [3, 3]
    assert [s["image"].shape[0] for s in ImageFolder(tmp_path, channels=1).__getitems__([0, 1])] == [1, 1]
    assert load_data(tmp_path, channels=1).train[0]["image"].shape[0] == 1


def test_samples_and_bounds(tmp_path):
    folder = ImageFolder(classes(tmp_path, {"cat": 2, "dog": 2}))
    assert folder[3]["label"] == 1 and folder[3]["index"] == 3 and folder[-1]["index"] == 3
    assert folder[0]["image"].shape == (3, 5, 6) and folder[0]["image"].dtype == torch.uint8
    part = folder.subset([3, 1]).subset([1, 0, 0])
    assert [s["image"].unique().item() for s in part.__getitems__([0, 1, 2])] == [1, 3, 3]
    assert part.labels.tolist() == [0, 1, 1] and part[1]["label"] == 1 and files(part)[0] == "cat/001.png"
    with pytest.raises(IndexError):
        folder[4]


def test_unreadable_files_are_replaced_by_the_next_readable_one(damaged):
    folder = ImageFolder(damaged)
    assert folder.report() is None and folder.unreadable() == []
    assert [s["index"] for s in folder.__getitems__([2, 3, 4, 5, 29])] == [2, 5, 5, 5, 0]
    assert torch.equal(folder[3]["image"], folder[5]["image"])
    assert folder.unreadable() == [
        ("03.jpg", "the file is truncated"),
        ("04.jpg", "the file is empty"),
        ("29.jpg", "its content is text, not an image"),
    ]
    assert folder.report().splitlines() == [
        f"3 of 30 images in {damaged} could not be read and were not used:",
        "  03.jpg: the file is truncated",
        "  04.jpg: the file is empty",
        "  29.jpg: its content is text, not an image",
    ]


def test_known_ones_are_left_out_from_the_start(damaged):
    data = load_data(damaged)
    assert len(data.train) == 27 and not set(files(data.train)) & set(BAD)
    assert [name for name, _ in data.unreadable()] == BAD and "03.jpg: the file is truncated" in data.report()
    assert data.summary()[3].startswith("Cannot be read: 3 images (03.jpg: the file is truncated; 04.jpg: the file is")


@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_failures_in_workers_reach_the_main_process_and_all_subsets(damaged, context):
    folder = ImageFolder(damaged)
    part, other = folder.subset(range(20)), folder.subset([28, 29])
    loader = DataLoader(part, batch_size=4, num_workers=2, collate_fn=collate_samples, multiprocessing_context=context)
    assert sum(len(batch["index"]) for batch in loader) == 20
    assert [name for name, _ in folder.unreadable()] == [name for name, _ in other.unreadable()] == BAD[:2]
    assert folder.same_source(part) and [s["index"] for s in other.__getitems__([0, 1])] == [0, 0]


def test_the_end_of_all_images_is_one_sentence_from_a_worker_too(tmp_path):
    data = load_data(classes(tmp_path, {"a": 2, "b": 2}), test_fraction=0)
    for file in tmp_path.rglob("*.png"):
        file.unlink()
    with pytest.raises(
        DataError, match=r"^None of the 4 images in .* \(a/000.png: the file is gone; .*check the files\.$"
    ):
        list(DataLoader(data.train, 2, collate_fn=collate_samples, num_workers=1))


@pytest.mark.parametrize("bad", [range(10), range(20, 30), range(0, 30, 3)])
def test_the_order_decides_nothing(bad, tmp_path):
    """A third is bad, and wherever these lie, a small folder is accepted, and 0.3 of it is not."""
    for i in range(30):
        write(tmp_path / f"{i:02d}.png")
    for i in bad:
        (tmp_path / f"{i:02d}.png").write_bytes(b"")
    assert len(load_data(tmp_path).train) == 20
    with pytest.raises(
        DataError, match=r"^10 of the 30 images in .* more than the 9 that are accepted \(.*raise max_un"
    ):
        load_data(tmp_path, max_unreadable=0.3)
    with pytest.raises(DataError, match="more than the 0 that are accepted"):
        load_data(tmp_path, max_unreadable=0)


@pytest.mark.parametrize(("count", "accepted"), [(1, 0), (10, 5), (50, 25), (100, 25), (250, 25), (5000, 500)])
def test_how_many_are_accepted(count, accepted):
    assert allowed_unreadable(count, None) == accepted
    assert allowed_unreadable(count, 0.1) == count // 10


def test_a_sample_decides_only_what_is_beyond_chance():
    assert at_least(3, 30, 30) == 0.1 and at_least(3, 30, 1000) == 0 and at_least(60, 64, 1000) > 0.85
    assert at_least(0, 0, 0) == 0


def test_headers_of_a_large_folder_are_a_sample(tmp_path):
    picture = write(tmp_path / "0000.png")
    for i in range(1, 2500):
        (tmp_path / f"{i:04d}.png").hardlink_to(picture)
    data = load_data(tmp_path)
    assert len(data.sizes()) == 2000 and "(of 2000 looked at)" in data.summary()[2]
    (tmp_path / "0001.png").unlink()
    (tmp_path / "0001.png").write_bytes(b"")
    for i in range(3, 1000, 2):
        (tmp_path / f"{i:04d}.png").unlink()
        (tmp_path / f"{i:04d}.png").hardlink_to(tmp_path / "0001.png")
    with pytest.raises(DataError, match="of the 2500 images in .* more than the 250 that are accepted"):
        load_data(tmp_path)


def test_what_is_decoded_is_cheap():
    def headers(*sides):
        return {row: Header(side, side, "PNG") for row, side in enumerate(sides)}

    assert to_decode(headers()) == [] and to_decode(headers(*[100] * 10)) == list(range(10))
    assert to_decode(headers(*[100] * 128)) == list(range(0, 128, 2))
    assert to_decode(headers(*[4000] * 100)) == [i * 100 // 8 for i in range(8)]  # photographs of 16 megapixels
    assert to_decode(headers(16000, *[100] * 10)) == list(range(1, 11))  # one giant among small ones


def test_spread_reaches_over_the_whole_set():
    assert spread(10, 5) == [0, 2, 4, 6, 8] and spread(3, 5) == [0, 1, 2] and spread(0, 5) == []


def test_nothing_readable(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"")
    message = r"None of the 2 images in .* can be read \(a.jpg: the file is empty; b.jpg: the file is empty\)"
    with pytest.raises(DataError, match=message):
        load_data(tmp_path)
    with pytest.raises(DataError, match=message):
        load_data(tmp_path, max_unreadable=1)
    with pytest.raises(DataError, match=message):
        ImageFolder(tmp_path)[0]


def test_a_decompression_bomb_is_unreadable(tmp_path, monkeypatch):
    for i in range(3):
        write(tmp_path / f"{i}.png")
    write(tmp_path / "3.png", size=(100, 100))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    folder = ImageFolder(tmp_path)
    assert folder[3]["index"] == 0
    assert folder.unreadable() == [("3.png", "it claims more than 2000 pixels, too many to be safe")]


def test_a_file_deleted_during_the_run_is_replaced(tmp_path):
    folder = load_data(classes(tmp_path, {"cat": 15, "dog": 15}), test_fraction=0).train
    file = folder.path(14)
    content = file.read_bytes()
    file.unlink()
    sample = folder[14]
    assert (sample["index"], sample["label"]) == (15, 1) and folder.unreadable() == [
        ("cat/014.png", "the file is gone")
    ]
    file.write_bytes(content)
    assert folder.unreadable() == [("cat/014.png", "it could not be read during the run, but can be read now")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (bytes(1000), "the file holds nothing but zeros"),
        (b"just a text", "its content is text, not an image"),
        ("übersetzt ".encode() * 60, "its content is text, not an image"),
        (b"<!DOCTYPE html>\n<html>", "its content is a web page, not an image"),
        (b"%PDF-1.7", "its content is a PDF, not an image"),
        (b"\0\0\0\x18ftypheic\0\0", "its content is a HEIC picture: convert it to JPEG"),
        (b"\x80\x81\x82" * 50, "its content is no image of a known format"),
        (encoded()[:2000], "the file is truncated"),
        (encoded("PNG")[:2000], "the file is truncated"),
        (encoded("WEBP")[:300], "the file is damaged"),
        (encoded("GIF")[:900], "the file is truncated"),
        (encoded("TIFF")[:900], "the file is truncated"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("as_file", [True, False])
def test_reasons_are_plain_words(content, reason, as_file, tmp_path):
    (tmp_path / "a.jpg").write_bytes(content)
    bad = str(tmp_path / "a.jpg") if as_file else content
    images = as_image_dataset([NOISE, NOISE, bad])
    ((_, found),) = images.unreadable()
    assert found.startswith(reason)


def test_no_permission(tmp_path):
    assert reason_of(PermissionError(13, "Permission denied"), tmp_path / "a.png") == "no permission to read the file"


def test_a_report_has_at_most_twenty_lines_of_files(tmp_path):
    for i in range(60):
        write(tmp_path / f"{i:02d}.png")
    for i in range(25):
        (tmp_path / f"{i:02d}.png").write_bytes(b"")
    data = load_data(tmp_path)
    assert len(data.unreadable()) == 25 and len(data.report().splitlines()) == 22
    assert data.report().endswith("  and 5 more")


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_headers_give_the_upright_size(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    header = read_header(encoded(exif=exif), decode_image)
    assert header == ((60, 80, "JPEG") if orientation > 4 else (80, 60, "JPEG"))


@pytest.mark.parametrize("image", [NOISE, Image.fromarray(NOISE), torch.from_numpy(NOISE), {"bytes": encoded("PNG")}])
def test_headers_of_other_images(image):
    assert read_header(image, decode_image)[:2] == (80, 60)


def test_a_folder_survives_pickling(damaged):
    folder = ImageFolder(damaged)
    assert np.array_equal(pickle.loads(pickle.dumps(folder))[0]["image"], folder[0]["image"])
