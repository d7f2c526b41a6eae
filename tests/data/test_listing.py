"""Which files are images, and by which reasons others are left out."""

import os
import shutil

import pytest
from PIL import Image

from hf_ssl.data import DataError, ImageFolder, load_data
from hf_ssl.data.images import FORMATS, decode_image
from hf_ssl.data.listing import SNIFFED, image_extensions, list_files

from .pictures import classes, files, write


def names(listing):
    return [file.decode() for file in listing.files]


@pytest.mark.parametrize("extension", sorted(image_extensions()))
def test_every_extension_of_our_formats_is_read_in_any_case(extension, tmp_path):
    image = Image.new("RGB", (16, 12), (90, 90, 90))
    image = image.convert({".pbm": "1", ".pfm": "F"}.get(extension, "RGB"))
    path = tmp_path / f"picture{extension.upper()}"
    image.save(path, format=Image.registered_extensions()[extension])
    assert names(list_files(tmp_path)) == [path.name]
    assert decode_image(path).shape == (3, 12, 16)


def test_extensions_follow_the_formats():
    expected = {".jfif", ".jpe", ".jp2", ".j2k", ".avif", ".dib", ".pbm", ".pnm", ".webp", ".tif", ".tiff", ".mpo"}
    assert expected <= image_extensions() and not image_extensions() & {".eps", ".pdf", ".psd", ".ico", ".heic"}
    assert {Image.registered_extensions()[e] for e in image_extensions()} == {*FORMATS, "MPO"}


def test_what_is_left_out_is_counted_by_reason(tmp_path):
    write(tmp_path / "a.png")
    for name in ("1.txt", "2.txt", "3.json", ".DS_Store", "x.HEIC", "y.svg", "z.cr2", "no_extension", "movie.mp4"):
        (tmp_path / name).write_text("no image")
    write(tmp_path / ".git" / "b.png")
    write(tmp_path / "__MACOSX" / "c.png")
    os.symlink("nowhere.png", tmp_path / "dead.png")
    os.symlink("itself", tmp_path / "itself")
    listing = list_files(tmp_path)
    assert names(listing) == ["a.png"]
    assert {reason: dict(counts) for reason, counts in listing.left_out.items()} == {
        "not an image": {".txt": 2, ".json": 1, "no extension": 1, ".mp4": 1},
        "hidden": {".DS_Store": 1, ".git": 1, "__MACOSX": 1},
        "a picture format that is not read": {".heic": 1, ".svg": 1, ".cr2": 1},
        "a link that leads nowhere": {"dead.png": 1, "itself": 1},
    }
    assert load_data(classes(tmp_path, {"more": 2})).summary()[-1] == (
        "Left out: not an image (.txt: 2, .json: 1, .mp4: 1, no extension: 1); a picture format that is not read "
        "(.cr2, .heic, .svg); hidden (.DS_Store, .git, __MACOSX); a link that leads nowhere (dead.png, itself)."
    )


def test_contents_tell_where_the_extension_is_unknown(tmp_path):
    for name, kind in (("noext", "PNG"), ("wrong.dat", "JPEG"), ("w", "WEBP"), ("g.bin", "GIF"), ("a.x", "AVIF")):
        Image.new("RGB", (8, 8)).save(tmp_path / name, format=kind)
    (tmp_path / "raw.nef").write_bytes(b"II*\0 a raw file starts like a TIFF file")
    (tmp_path / "riff.wav").write_bytes(b"RIFF1234WAVEfmt ")
    os.mkfifo(tmp_path / "pipe.png")  # opening it would wait for ever
    listing = list_files(tmp_path)
    assert names(listing) == ["a.x", "g.bin", "noext", "w", "wrong.dat"]
    assert listing.left_out["a picture format that is not read"] == {".nef": 1}
    assert listing.left_out["not an image"] == {".wav": 1}
    assert listing.left_out["a pipe, socket or device"] == {"pipe.png": 1}


def test_many_files_of_unknown_extension_are_not_opened(tmp_path):
    picture = write(tmp_path / "a.png")
    for i in range(SNIFFED + 1):
        os.link(picture, tmp_path / f"{i}.dat")
    listing = list_files(tmp_path)
    assert names(listing) == ["a.png"] and listing.left_out["not an image"] == {".dat": SNIFFED + 1}


def test_the_output_folder_and_what_hf_ssl_wrote_are_left_out(tmp_path):
    classes(tmp_path, {"cats": 3, "dogs": 3, "out/figures": 2, "runs/first/figures": 2, "published/figures": 2})
    (tmp_path / "runs/first/run.json").write_text("{}")
    (tmp_path / "runs/first/checkpoints").mkdir()
    (tmp_path / "published/config.json").write_text("{}")
    (tmp_path / "published/pretraining").mkdir()
    data = load_data(tmp_path, exclude=[tmp_path / "out", tmp_path / "not there yet"])
    assert data.label_names == ["cats", "dogs"] and len(data.train) + len(data.test) == 6
    assert data.left_out == ["a folder that hf-ssl wrote (published, runs/first)", "the output folder (out)"]
    inside = load_data(tmp_path / "out", exclude=[tmp_path / "out"])  # the user asks for these pictures
    assert len(inside.train) == 2


def test_links_are_followed_once_and_loops_end(tmp_path):
    classes(tmp_path / "root", {"cat": 2, "zebra": 1})
    write(tmp_path / "elsewhere" / "a.png")
    os.symlink(tmp_path / "root", tmp_path / "root" / "cat" / "loop")
    os.symlink(tmp_path / "root" / "zebra", tmp_path / "root" / "alias")
    os.symlink(tmp_path / "elsewhere", tmp_path / "root" / "dog")
    folder = ImageFolder(tmp_path / "root")
    assert folder.label_names == ["cat", "dog", "zebra"] and len(folder) == 4
    assert folder.left_out == ["a link to a folder that is read already (alias, cat/loop)"]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    classes(tmp_path, {"open": 2, "locked": 2})
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    listing = list_files(tmp_path)
    assert names(listing) == ["open/000.png", "open/001.png"]
    assert listing.left_out == {"a folder that cannot be listed": {"locked, Permission denied": 1}}


def test_the_order_is_by_folder_and_name(tmp_path):
    for name in ("a/2.png", "a b/1.png", "a/10.png", "a.png", "a/b/1.png"):
        write(tmp_path / name)
    assert names(list_files(tmp_path)) == ["a/10.png", "a/2.png", "a/b/1.png", "a b/1.png", "a.png"]


def test_names_that_are_no_text_can_be_printed(tmp_path):
    write(tmp_path / "a.png")
    for name in (b"/\xff\xfe.png", b"/line\nend.txt"):
        shutil.copy(tmp_path / "a.png", os.fsencode(tmp_path) + name)
    folder = ImageFolder(tmp_path)
    assert folder.names(range(3)) == ["a.png", r"line\nend.txt", r"\xff\xfe.png"]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([], "holds no images, it is empty"),
        (["a/b/"], "holds no images, and its subfolders are empty"),
        (["a.heic", "b.svg"], "holds no images, only pictures .*heic.*: convert them to JPEG or PNG"),
        (["a.txt", "sub/b.csv"], r"holds no images \(left out: not an image \(.*\)\): give the folder that does"),
        ([".hidden.png"], r"left out: hidden \(.hidden.png\)"),
    ],
)
def test_folders_without_images(made, message, tmp_path):
    for name in made:
        path = tmp_path / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_text("no image")
    with pytest.raises(DataError, match=message):
        load_data(tmp_path)


def test_a_single_image_is_refused(tmp_path):
    write(tmp_path / "a.png")
    with pytest.raises(DataError, match="a single image to train on: give at least two"):
        load_data(tmp_path)
    assert files(ImageFolder(tmp_path)) == ["a.png"]
