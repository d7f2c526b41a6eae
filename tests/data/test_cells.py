"""Cells of tables: an image is what is in the cell, or a file inside the data set."""

import io
import json
import os
import tarfile
from pathlib import Path

import datasets
import pyarrow
import pyarrow.parquet
import pytest
from torch.utils.data import DataLoader

from hf_ssl.checks.regular_files import UnreadableError
from hf_ssl.data import DataError, HubStream, as_image_dataset, load_data
from hf_ssl.data.cells import Cells

from .test_hub_and_own_data import png
from .test_opening import EPS


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "DOWNLOADED_DATASETS_PATH", tmp_path / "cache" / "downloads")


@pytest.fixture
def folder(tmp_path):
    """A data set's folder with one picture, and beside it what is none of its business."""
    (tmp_path / "data" / ".files").mkdir(parents=True)
    (tmp_path / "data" / ".files" / "in.png").write_bytes(png(7))
    (tmp_path / "outside.png").write_bytes(png(9))
    (tmp_path / "data" / ".files" / "link.png").symlink_to(tmp_path / "outside.png")
    os.mkfifo(tmp_path / "data" / ".files" / "pipe.png")
    return tmp_path / "data"


OUTSIDE, ADDRESS = "names a file outside of the data set", "holds an address, which is not fetched"
PATHS = {
    "{root}/../outside.png": OUTSIDE,
    "../outside.png": OUTSIDE,
    ".files/../.files/in.png": OUTSIDE,
    "{outside}": OUTSIDE,
    ".files/link.png": OUTSIDE,
    "/dev/zero": OUTSIDE,
    "/etc/passwd": OUTSIDE,
    "~/x.png": "the file is gone",
    "": OUTSIDE,
    ".": OUTSIDE,
    ".files": "it is a folder",
    ".files/pipe.png": "it is a pipe, socket or device",
    "nowhere.png": "the file is gone",
    "http://127.0.0.1:9/x.png": ADDRESS,
    "https://example.org/x.png": ADDRESS,
    "file://{outside}": ADDRESS,
    "s3://bucket/x.png": ADDRESS,
    "hf://datasets/someone/secret@main/x.png": ADDRESS,
    "zip://x.png::http://127.0.0.1:9/x.zip": ADDRESS,
    "zip://x.png::{root}/x.zip": ADDRESS,
    "simplecache::file://{outside}": ADDRESS,
}
DEAD = {  # other cells without an image
    "null": (None, "the cell is empty"),
    "neither bytes nor path": ({"bytes": None, "path": None}, "the cell is empty"),
    "no bytes": ({"bytes": b"", "path": ".files/in.png"}, "the file is empty"),
    "PostScript": ({"bytes": EPS, "path": "a.eps"}, "its content is text, not an image"),
}


def rows_of(cells):
    """An Arrow table of these cells behind ten good ones, typed as images."""
    cells = [{"bytes": png(i), "path": f"{i}.png"} for i in range(10)] + cells
    schema = datasets.Features({"image": datasets.Image()}).arrow_schema
    return pyarrow.Table.from_pylist([{"image": cell} for cell in cells], schema=schema)


def table(folder, cells):
    pyarrow.parquet.write_table(rows_of(cells), folder / "train.parquet")
    return folder


@pytest.mark.parametrize("streaming", [False, True])
def test_a_path_leads_to_a_file_of_the_data_set(folder, streaming):
    paths = [path.format(root=folder, outside=folder.parent / "outside.png") for path in PATHS]
    dead = [{"bytes": None, "path": path} for path in paths] + [cell for cell, _ in DEAD.values()]
    good = [{"bytes": None, "path": path} for path in (".files/in.png", str(folder / ".files" / "in.png"))]
    data = load_data(table(folder, good + dead), streaming=streaming, max_unreadable=0.9)
    if streaming:
        assert len(list(data.train)) == 12
        assert data.report() == f"{len(dead)} of {len(dead) + 12} streamed images could not be read and were skipped."
        return
    assert [image["image"].unique().item() for image in data.train][10:] == [7, 7]
    expected = [*PATHS.values(), *(reason for _, reason in DEAD.values())]
    for path, (_, said), reason in zip([*PATHS, *DEAD], data.unreadable(), expected, strict=True):
        assert reason in said, (path, said)
    loader = DataLoader(data.train, 5, collate_fn=list, num_workers=1)
    assert sum(map(len, loader)) == 12


def test_the_same_when_somebody_else_loaded_it(folder):
    cells = [{"bytes": None, "path": str(folder.parent / "outside.png")}, {"bytes": None, "path": "http://a/b.png"}]
    table(folder, cells)
    rows = datasets.load_dataset("parquet", data_files=str(folder / "train.parquet"), split="train")
    reasons = [reason for _, reason in as_image_dataset(rows).unreadable()]
    assert OUTSIDE in reasons[0] and ADDRESS in reasons[1]
    stream = datasets.load_dataset("parquet", data_files=str(folder / "train.parquet"), split="train", streaming=True)
    assert len(list(HubStream(stream))) == 10
    datasets.Dataset(rows_of([])).save_to_disk(folder / "saved")
    with pyarrow.OSFile(str(next((folder / "saved").glob("*.arrow"))), "wb") as file:
        with pyarrow.ipc.new_stream(file, rows_of(cells).schema) as writer:
            writer.write_table(rows_of(cells))
    assert len(as_image_dataset(datasets.load_from_disk(folder / "saved")).unreadable()) == 2
    assert len(load_data(folder / "saved").train) == 10


def test_names_that_the_user_gave_himself(folder, monkeypatch):
    """A data set that was made in this process, and one of a folder that the user named."""
    names = [str(folder.parent / "outside.png"), ".files/in.png", "http://a/b.png"]
    monkeypatch.chdir(folder)
    own = datasets.Dataset.from_dict({"image": names}).cast_column("image", datasets.Image())
    images = as_image_dataset(own)
    assert [images[i]["image"].unique().item() for i in (0, 1)] == [9, 7] and ADDRESS in images.unreadable()[0][1]
    assert len(list(HubStream(own.to_iterable_dataset(), max_unreadable=0.5))) == 2
    rows = datasets.load_dataset("imagefolder", data_dir=str(folder / ".files"), split="train")
    assert as_image_dataset(rows)[0]["image"].unique().item() == 7


def test_files_of_a_streamed_hub_data_set_are_fetched(monkeypatch):
    asked = []
    monkeypatch.setattr(
        datasets.utils.file_utils, "xopen", lambda address, mode: asked.append(address) or io.BytesIO(b"content")
    )
    rows = datasets.Dataset.from_dict({"a": [1]}).to_iterable_dataset()
    rows.info.dataset_name, rows.info.builder_name = "my_pictures", "imagefolder"
    cells = Cells(rows, [])
    mine = ("hf://datasets/me/MyPictures@0a1b/cat/1.png", "zip://cat/1.png::hf://datasets/me/my_pictures@main/a.zip")
    for address in mine:
        assert cells({"bytes": None, "path": address}) == b"content"
    for address in (
        "hf://datasets/me/others@main/1.png",
        "hf://datasets/me/my_pictures@main/../../others/1.png",
        "hf://me/my_pictures/1.png",
        "zip://1.png::http://a/my_pictures.zip",
        "zip://1.png::zip://2.zip::hf://datasets/me/my_pictures@main/a.zip",
    ):
        with pytest.raises(UnreadableError, match="an address"):
            cells({"bytes": None, "path": address})
    assert asked == list(mine)


@pytest.mark.parametrize(
    "cell", [5, 2.5, "x", b"\0", [[1, 2], [3]], ["a"], [10**30], {"a": 1}, {"path": 7}, {"bytes": 3}]
)
def test_cells_of_any_type_are_one_image(cell):
    images = as_image_dataset([{"image": png(1)}, {"image": cell}, {}, {"image": None}, 3, png(2)], max_unreadable=0.9)
    assert len(images.unreadable()) == 4 and images[1]["index"] == 5


def test_columns_of_any_type():
    for values in ([1, 2], [[1, 2], [3]], ["a", "b"], [{"x": 1}, {"x": 2}], [None, None], [True, False]):
        rows = datasets.Dataset.from_dict({"image": values})
        with pytest.raises(DataError, match="^None of the 2 images"):
            as_image_dataset(rows, image_column="image")
        with pytest.raises(DataError, match="None of the 2 images"):
            list(HubStream(rows.to_iterable_dataset(), image_column="image"))


def test_nested_images_are_never_decoded_by_others(monkeypatch):
    monkeypatch.setattr(datasets.Image, "decode_example", lambda *arguments, **options: pytest.fail("decoded"))
    kind = datasets.Features(
        {
            "image": datasets.Image(),
            "info": {"label": datasets.Value("int64"), "mask": datasets.Image()},
            "more": datasets.List(datasets.Image()),
        }
    )
    cell = {"bytes": png(3), "path": None}
    rows = datasets.Dataset.from_dict(
        {"image": [cell] * 4, "info": [{"label": i % 2, "mask": cell} for i in range(4)], "more": [[cell]] * 4},
        features=kind,
    )
    assert as_image_dataset(rows).labels.tolist() == [0, 1, 0, 1]
    assert [sample["label"] for sample in as_image_dataset(rows.to_iterable_dataset())] == [0, 1, 0, 1]
    with pytest.raises(DataError, match="None of the 4 images"):
        as_image_dataset(rows, image_column="more")


def test_a_text_that_is_no_utf8_is_missing():
    paths = pyarrow.StructArray.from_arrays(
        [pyarrow.array([png(1), png(2), None]), pyarrow.array([b"a", b"b", b"\xff\xfe"]).view(pyarrow.string())],
        ["bytes", "path"],
    )
    labels = pyarrow.array([b"x", b"\xff", b"x"]).view(pyarrow.string())
    rows = datasets.Dataset(pyarrow.table({"image": paths, "label": labels}))
    images = as_image_dataset(rows, image_column="image")
    assert images.labels.tolist() == [0, -1, 0] and len(images.unreadable()) == 1


def test_labels_beyond_the_names():
    kind = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    rows = datasets.Dataset.from_dict({"image": [png(1)] * 3, "label": [0, 1, None]}, features=kind)
    assert as_image_dataset(rows).labels.tolist() == [0, 1, -1]
    data = rows.data.table.set_column(1, "label", pyarrow.array([0, 7, -5], pyarrow.int64()))
    with pytest.raises(DataError, match="holds 7, beyond its 2 names of classes"):
        as_image_dataset(datasets.Dataset(data, info=rows.info))


def damaged(path, start, length=200):
    content = bytearray(path.read_bytes())
    content[start : start + length] = b"\xff" * len(content[start : start + length])
    path.write_bytes(content)


def test_damaged_tables_are_one_sentence(tmp_path):
    for name, start in (("page", 100), ("footer", -300), ("end", -8)):
        folder = tmp_path / name
        folder.mkdir()
        table(folder, [])
        damaged(folder / "train.parquet", start if start > 0 else (folder / "train.parquet").stat().st_size + start)
        with pytest.raises(DataError, match=r"cannot be (read|loaded)|can be read"):
            load_data(folder)
    (tmp_path / "rows").mkdir()
    nothing = pyarrow.table({"image": pyarrow.nulls(20_000_000, pyarrow.bool_())})
    pyarrow.parquet.write_table(nothing, tmp_path / "rows" / "train.parquet")
    with pytest.raises(DataError, match="claims to hold 20000000 rows in"):
        load_data(tmp_path / "rows")


@pytest.mark.parametrize("part", range(6))
def test_damaged_saved_data_sets_are_one_sentence(tmp_path, part):
    cells = [{"bytes": png(i), "path": None} for i in range(20)]
    rows = datasets.Dataset.from_dict({"image": cells}, features=datasets.Features({"image": datasets.Image()}))
    rows.save_to_disk(tmp_path / "saved")
    file = next((tmp_path / "saved").glob("*.arrow"))
    damaged(file, file.stat().st_size * part // 6, 64)
    try:
        data = load_data(tmp_path / "saved", max_unreadable=1)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert len(list(data.train)) + len(data.unreadable()) == 20


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"_data_files": [{"filename": "../outside.arrow"}]}, "names '../outside.arrow', which is no file of its own"),
        ({"_data_files": [{"filename": "/etc/passwd"}]}, "names '/etc/passwd', which is no file of its own"),
        ({"_data_files": [{"filename": "pipe"}]}, "names the file 'pipe', which is not there"),
        ({"_data_files": [{"filename": "nowhere"}]}, "names the file 'nowhere', which is not there"),
        ({"_data_files": [5]}, "names None"),
        ({"_data_files": 5}, "state.json"),
        ([], "holds no JSON object"),
        ("[" * 100_000, "state.json cannot be read"),
    ],
)
def test_saved_data_sets_of_other_files(tmp_path, state, message):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "state.json").write_text(state if isinstance(state, str) else json.dumps(state))
    with pytest.raises(DataError, match=message):
        load_data(tmp_path)


@pytest.mark.parametrize("name", ["http://127.0.0.1:9/a.parquet", "/etc/*.parquet", "../*.parquet", "zip://a::b"])
def test_cards_that_name_other_files(tmp_path, name):
    table(tmp_path, [])
    (tmp_path / "README.md").write_text(
        f"---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: '{name}'\n---\n"
    )
    with pytest.raises(DataError, match="which is no file of its folder"):
        load_data(tmp_path)


@pytest.mark.parametrize("header", ["[: bad", "[" * 3000])
def test_cards_that_are_no_yaml(tmp_path, header):
    table(tmp_path, [])
    (tmp_path / "README.md").write_text(f"---\n{header}\n---\n")
    with pytest.raises(DataError, match=r"^The data set card .* cannot be read \(.*\): repair or remove it\.$"):
        load_data(tmp_path)


def tar(path: Path, *members):
    with tarfile.open(path, "w") as archive:
        for i in range(6):
            members = [*members, (f"{i}.png", png(i), {})]
        for name, content, settings in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in settings.items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize(
    "member",
    [
        ("9.png", b"", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
        ("9.png", b"", {"type": tarfile.LNKTYPE, "linkname": "../../outside.png"}),
        ("9.png", b"", {"type": tarfile.FIFOTYPE}),
        ("9.png", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5}),
        ("/etc/9.png", EPS, {}),
        ("../../9.png", b"no image", {}),
        ("9.json", b"[" * 100_000, {}),
        ("9.png.gz", b"\x1f\x8b", {}),
    ],
)
def test_members_of_tars(tmp_path, member):
    tar(tmp_path / "train.tar", member)
    try:
        data = load_data(tmp_path)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert len(list(data.train)) == 6


def test_broken_tars_are_one_sentence(tmp_path):
    tar(tmp_path / "train.tar")
    content = (tmp_path / "train.tar").read_bytes()
    for broken in (content[:560], content[:1000] + b"\xff" * 1000 + content[2000:], b"", os.urandom(3000)):
        (tmp_path / "train.tar").write_bytes(broken)
        with pytest.raises(DataError, match=r"cannot be (read|loaded)|images"):
            load_data(tmp_path)
