"""Tables beside the images."""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from hf_ssl.data import DataError, ImageFolder, load_data

from .pictures import classes, write

ROWS = [{"file_name": f"{i}.png", "caption": f"c{i}", "Category": ["b", "a"][i % 2]} for i in range(6)]


def write_table(folder, kind, rows=ROWS):
    if kind == "csv":
        lines = [",".join(rows[0]), *(",".join(str(v) for v in row.values()) for row in rows)]
        (folder / "metadata.csv").write_text("\n".join(lines))
    elif kind == "jsonl":
        (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "metadata.parquet")


@pytest.fixture
def pictures(tmp_path):
    for i in range(6):
        write(tmp_path / f"{i}.png", i)
    return tmp_path


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_labels_come_from_the_table(kind, pictures):
    write_table(pictures, kind)
    data = load_data(pictures)
    assert data.label_names == ["a", "b"] and data.labels_from == "column 'Category' of the metadata"
    assert len(data.train) == 4 and sorted(data.test.labels.tolist()) == [0, 1] and not data.left_out
    folder = ImageFolder(pictures)
    assert folder.labels.tolist() == [1, 0] * 3
    assert len(ImageFolder(pictures, label_column="caption").label_names) == 6
    assert ImageFolder(pictures, label_level=0).labels is None


def test_every_split_has_its_table(tmp_path):
    for part in ("train", "test"):
        for i in range(6):
            write(tmp_path / part / f"{i}.png", i)
        write_table(tmp_path / part, "csv")
    data = load_data(tmp_path)
    assert data.train.labels.tolist() == data.test.labels.tolist() == [1, 0] * 3


def test_tables_name_files_in_subfolders_and_win_over_folders(tmp_path):
    classes(tmp_path, {"x": 2, "y": 2})
    rows = [{"file_name": f"{name}/00{i}.png", "label": i} for name in "xy" for i in (0, 1)]
    write_table(tmp_path, "jsonl", rows)
    assert ImageFolder(tmp_path).labels.tolist() == [0, 1, 0, 1]
    assert ImageFolder(tmp_path, label_level=1).labels.tolist() == [0, 0, 1, 1]


def test_missing_rows_files_and_labels(pictures):
    rows = [{"file_name": f"{i}.png", "label": "" if i == 1 else i % 2} for i in range(5)]
    write_table(pictures, "csv", [*rows, {"file_name": "gone.png", "label": 1}])
    folder = ImageFolder(pictures)
    assert folder.labels.tolist() == [0, -1, 0, 1, 0, -1] and folder.label_names == ["0", "1"]
    assert folder.left_out == ["named in metadata.csv, but not there (gone.png)"]


def test_a_table_without_labels_leaves_them_to_the_folders(tmp_path):
    classes(tmp_path, {"x": 2, "y": 2})
    write_table(tmp_path, "csv", [{"file_name": "x/000.png", "caption": "a cat"}])
    assert ImageFolder(tmp_path).label_names == ["x", "y"]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("file_name,label\n../0.png,1\n", {}, "names the file '../0.png', which is outside of its folder"),
        ("file_name,label\n/etc/passwd,1\n", {}, "outside of its folder"),
        ("file_name,label\nx/../../0.png,1\n", {}, "outside of its folder"),
        ("name,label\n0.png,1\n", {}, r"has no column 'file_name' \(it has name, label\)"),
        ("file_name,label\n,1\n", {}, "a row without a file_name"),
        ("file_name,label\n0.png,1\n", {"label_column": "kind"}, "'kind' does not exist in metadata.csv .*are label"),
        ("file_name,label\n0.png,1\n", {"image_column": "x"}, "image_column='x' means nothing"),
    ],
)
def test_tables_that_are_refused(text, options, message, pictures):
    (pictures / "metadata.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        load_data(pictures, **options)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_damaged_tables(kind, pictures):
    (pictures / f"metadata.{kind}").write_text('{"file_name": ')
    with pytest.raises(DataError, match=f"metadata.{kind} cannot be read .*: repair or remove it"):
        load_data(pictures)


def test_a_label_column_without_a_table(pictures):
    with pytest.raises(DataError, match="label_column='x' means nothing .*metadata.csv.*label_level"):
        load_data(pictures, label_column="x")


HOSTILE = {
    "nested.jsonl": "[" * 100_000,
    "deep.jsonl": '{"file_name": "0.png", "label": ' + "[" * 100_000,
    "number.jsonl": '{"file_name": "0.png", "label": ' + "9" * 10_000 + "}",
    "list.jsonl": "[1]\n",
    "keys.jsonl": "\n".join(f'{{"{i}": 1, "file_name": "0.png"}}' for i in range(11_000)),
    "line.csv": "file_name,label\n0.png," + "x," * 3_000_000,
    "columns.csv": "file_name,label," + "x," * 20_000,
    "field.csv": 'file_name,label\n0.png,"' + "x" * 200_000,
    "binary.csv": "\x00\x01\udcff\n",
    "bytes.parquet": "PAR1 none",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_tables_are_one_sentence(tmp_path, name):
    classes(tmp_path, {"a": 2, "b": 2})
    file = tmp_path / f"metadata{Path(name).suffix}"
    file.write_bytes(HOSTILE[name].encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=r"cannot be read|has no column") as caught:
        load_data(tmp_path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000


@pytest.mark.parametrize("value", ["null", "NaN", '"\\ud800"', "1e400", "10" + "0" * 400, "-3", "true", '"\\u0000"'])
def test_strange_labels(tmp_path, value):
    for i in range(4):
        write(tmp_path / f"{i}.png", i)
    rows = [f'{{"file_name": "{i}.png", "label": {value if i == 3 else i % 2}}}\n' for i in range(4)]
    (tmp_path / "metadata.jsonl").write_text("".join(rows))
    if value == "1e400":
        with pytest.raises(DataError, match="holds the number inf, which names no class"):
            load_data(tmp_path)
    else:
        data = load_data(tmp_path, test_fraction=0)
        assert len(data.train) == 4 and all(name.encode() for name in data.label_names)
