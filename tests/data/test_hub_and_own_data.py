"""Data sets of the datasets library, streams, foreign torch data sets, tensors and batches; no network."""

import io
import json
import tarfile

import datasets
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torch.utils.data import Dataset as TorchDataset

from hf_ssl.data import (
    DataError,
    HubImages,
    HubStream,
    TensorImages,
    as_image_dataset,
    collate_samples,
    load_data,
)
from hf_ssl.data.stream import EPOCH_STRIDE


def png(value, size=(6, 5)):
    buffer = io.BytesIO()
    Image.new("RGB", size, (value, value, value)).save(buffer, "PNG")
    return buffer.getvalue()


def table(count=10, bad=(), **extra):
    columns = {
        "number": list(range(count)),
        "picture": [{"bytes": b"no image" if i in bad else png(i), "path": f"{i}.png"} for i in range(count)],
        "kind": [i % 2 for i in range(count)],
        **extra,
    }
    features = {
        "number": datasets.Value("int64"),
        "picture": datasets.Image(),
        "kind": datasets.ClassLabel(names=["even", "odd"]),
        **{name: datasets.Value("string") for name in extra},
    }
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def test_columns_are_found_by_their_type():
    images = as_image_dataset(table())
    assert isinstance(images, HubImages) and len(images) == 10
    assert images.label_names == ["even", "odd"] and images.labels.tolist() == [0, 1] * 5
    assert images[3]["image"].shape == (3, 5, 6) and images[3]["image"].unique().tolist() == [3]
    assert (images[3]["index"], images[3]["label"]) == (3, 1)
    assert [s["image"][0, 0, 0].item() for s in images.__getitems__([7, 2, 7])] == [7, 2, 7]
    part = images.subset([4, 5])
    assert part[1]["label"] == 1 and part[1]["image"].unique().tolist() == [5] and len(part) == 2


def test_wrong_columns_name_the_right_ones():
    with pytest.raises(DataError, match="image_column='img' does not exist: the columns are number, picture, kind"):
        as_image_dataset(table(), image_column="img")
    with pytest.raises(DataError, match="label_column='label' does not exist: the columns are number, picture"):
        as_image_dataset(table(), label_column="label")
    with pytest.raises(DataError, match=r"No column has the type datasets.Image \(the columns are number, kind\)"):
        as_image_dataset(table().remove_columns("picture"))
    with pytest.raises(DataError, match="splits"):
        as_image_dataset(datasets.DatasetDict(train=table()))


def column(name, values, feature, count=None):
    return table(count or len(values)).remove_columns("kind").add_column(name, values, feature=datasets.Value(feature))


@pytest.mark.parametrize(
    ("name", "values", "feature", "labels", "names"),
    [
        ("label", [3, 1, 3, -1], "int64", [1, 0, 1, -1], ["1", "3"]),
        ("category", ["b", "a", None, "b"], "string", [1, 0, -1, 1], ["a", "b"]),
        ("Class", [True, False, None, True], "bool", [1, 0, -1, 1], ["False", "True"]),
        ("target", ["a", "b", "c", "d"], "string", None, None),  # another text for each image is no class
        ("target", [0.5, 0.1, 0.5, 0.1], "float32", None, None),
        ("other", [1, 2, 1, 2], "int64", None, None),
    ],
)
def test_labels_are_found_by_the_usual_names(name, values, feature, labels, names):
    images = as_image_dataset(column(name, values, feature))
    assert images.label_names == names and (images.labels if labels is None else images.labels.tolist()) == labels
    assert ("label" in images[0]) == (labels is not None)


def test_labels_of_other_types():
    words = table(4, word=["b", "a", None, "b"])
    images = as_image_dataset(words, label_column="word")
    assert images.label_names == ["a", "b"] and images.labels.tolist() == [1, 0, -1, 1]
    assert as_image_dataset(table(4), label_column="number").label_names == ["0", "1", "2", "3"]
    floats = column("score", [2.0, 1.0, None, 2.0], "float64")
    assert as_image_dataset(floats, label_column="score").labels.tolist() == [1, 0, -1, 1]
    secret = table(4).map(lambda row: {"kind": -1}, features=table(1).features)
    assert as_image_dataset(secret).labels is None


def test_columns_that_name_no_class():
    lists = table(2).add_column("boxes", [[1, 2], [3]])
    for data, name, message in (
        (table(4), "picture", "'picture' holds images"),
        (lists, "boxes", "'boxes' holds a list, which names no class"),
        (column("score", [0.5, 1.5], "float64"), "score", "'score' holds the number 0.5"),
    ):
        with pytest.raises(DataError, match=message):
            as_image_dataset(data, label_column=name)


def test_tables_made_without_the_datasets_library(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    for part, count in (("train", 6), ("Test", 4)):
        rows = [{"image": {"bytes": png(i), "path": None}, "info": {"label": "ab"[i % 2]}} for i in range(count)]
        (tmp_path / "data" / part).mkdir(parents=True)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "data" / part / "rows.parquet")
    (tmp_path / "data" / "README.txt").write_text("a note")
    data = load_data(tmp_path / "data")
    assert data.label_names == ["a", "b"] and data.labels_from == "column 'info.label'"
    assert (len(data.train), len(data.test)) == (6, 4) and data.test[3]["image"].unique().tolist() == [3]


@pytest.mark.parametrize("kind", ["cls", "json"])
def test_webdataset_tars(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "shards").mkdir()
    for part, count in (("train", 6), ("test", 4)):
        with tarfile.open(tmp_path / "shards" / f"{part}-0000.tar", "w") as tar:
            for i in range(count):
                label = str(i % 2) if kind == "cls" else json.dumps({"label": ["cat", "dog"][i % 2]})
                for extension, content in (("png", png(i)), (kind, label.encode())):
                    member = tarfile.TarInfo(f"{i:04d}.{extension}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    data = load_data(tmp_path / "shards")
    assert data.label_names == (["0", "1"] if kind == "cls" else ["cat", "dog"])
    assert data.train.labels.tolist() == [0, 1] * 3 and data.test[1]["label"] == 1
    assert data.test[1]["image"].unique().tolist() == [1]


def test_a_test_split_without_labels_is_passed_over(tmp_path):
    secret = table(5).map(lambda row: {"kind": -1}, features=table(1).features)
    datasets.DatasetDict(train=table(10), test=secret, validation=table(4)).save_to_disk(tmp_path / "three")
    data = load_data(tmp_path / "three")
    assert len(data.test) == 4 and data.split["made_by"] == "split 'validation' to test on, as the source has it"
    assert data.left_out == ["not used for testing (split 'test': 5 images without labels)"]
    assert len(load_data(tmp_path / "three", test_split="test").test) == 5
    with pytest.raises(DataError, match="split and test_split are both 'train'"):
        load_data(tmp_path / "three", split="train", test_split="train")
    datasets.DatasetDict(train=table(10), test=secret).save_to_disk(tmp_path / "two")
    data = load_data(tmp_path / "two")
    assert (len(data.train), len(data.test)) == (8, 2) and sorted(data.test.labels.tolist()) == [0, 1]


def test_partly_labelled_rows_are_for_training():
    rows = table(20).map(lambda row: {"kind": row["kind"] if row["number"] < 10 else None}, features=table(1).features)
    images = as_image_dataset(rows)
    assert images.labels.tolist() == [0, 1] * 5 + [-1] * 10 and images[15]["label"] == -1


def test_bytes_and_array_columns_without_the_image_type():
    blobs = datasets.Dataset.from_dict({"blob": [png(i) for i in range(3)]})
    assert as_image_dataset(blobs, image_column="blob")[2]["image"].unique().tolist() == [2]
    arrays = datasets.Dataset.from_dict({"pixels": np.full((3, 4, 4), 9).tolist()})
    assert as_image_dataset(arrays, image_column="pixels")[0]["image"].shape == (3, 4, 4)


def test_unreadable_rows_are_replaced_and_named():
    images = as_image_dataset(table(30, bad=(3, 4)))
    samples = [sample for batch in DataLoader(images, 5, collate_fn=list, num_workers=1) for sample in batch]
    assert [s["index"] for s in samples][2:6] == [2, 5, 5, 5]
    assert images.unreadable() == [
        ("row 3 (3.png)", "its content is text, not an image"),
        ("row 4 (4.png)", "its content is text, not an image"),
    ]
    with pytest.raises(
        DataError, match=r"11 of the 20 images .* than the 10 that are accepted \(row 0 \(0.png\): its"
    ):
        as_image_dataset(table(20, bad=range(11)))


def test_parquet_and_saved_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "parquet").mkdir()
    table(20).to_parquet(tmp_path / "parquet" / "train.parquet")
    data = load_data(tmp_path / "parquet")
    assert data.name == "parquet" and data.label_names == ["even", "odd"]
    assert (len(data.train), len(data.test)) == (16, 4) and data.test.labels.bincount().tolist() == [2, 2]
    assert data.train[0]["image"].shape == (3, 5, 6) and "'kind'" in data.description
    assert len(load_data(str(tmp_path / "parquet"), limit=5, channels=1).train) == 5
    datasets.DatasetDict(train=table(6), validation=table(4)).save_to_disk(tmp_path / "saved")
    data = load_data(tmp_path / "saved")
    assert (len(data.train), len(data.test)) == (6, 4)
    assert len(load_data(tmp_path / "saved", split="validation", test_split="train").train) == 4
    with pytest.raises(DataError, match="split='dev' is no split .* train, validation"):
        load_data(tmp_path / "saved", split="dev")
    stream = load_data(tmp_path / "parquet", streaming=True, limit=7)
    assert len(list(stream.train)) == 7 and stream.test is None and stream.label_names == ["even", "odd"]


def test_streams_count_over_epochs_and_workers():
    stream = HubStream(table(12).to_iterable_dataset(num_shards=4), shuffle_buffer=12, seed=1)
    first = list(stream)
    assert [s["index"] for s in first] == list(range(12))
    assert all(s["label"] == s["image"][0, 0, 0].item() % 2 for s in first)
    loader = DataLoader(stream, 3, collate_fn=collate_samples, num_workers=2, persistent_workers=True)
    orders = []
    for epoch in (0, 1):
        stream.set_epoch(epoch)
        batches = list(loader)
        index = torch.cat([b["index"] for b in batches])
        assert len(set(index.tolist())) == 12 and (index // EPOCH_STRIDE == epoch).all()
        orders.append(torch.cat([b["image"][:, 0, 0, 0] for b in batches]))
        assert sorted(orders[-1].tolist()) == list(range(12))
    assert not torch.equal(*orders)
    assert stream.labels is None and stream.report() is None


def test_streams_skip_what_they_cannot_read():
    stream = HubStream(table(25, bad=(2,)).to_iterable_dataset())
    assert [s["index"] for s in stream][:4] == [0, 1, 3, 4]
    assert stream.report() == "1 of 25 streamed images could not be read and were skipped."
    assert len(list(HubStream(table(25, bad=range(5)).to_iterable_dataset()))) == 20  # the first ones decide nothing
    with pytest.raises(DataError, match="13 of the first 25 images of the stream .*its content is text"):
        list(HubStream(table(25, bad=range(13)).to_iterable_dataset()))
    with pytest.raises(DataError, match="5 of the first 25 images .* more than the 2"):
        list(HubStream(table(25, bad=range(5)).to_iterable_dataset(), max_unreadable=0.1))
    with pytest.raises(DataError, match="None of the 3 images"):
        list(HubStream(table(3, bad=range(3)).to_iterable_dataset()))
    with pytest.raises(DataError, match="None of the 100 images"):  # no need to wait for the rest
        list(HubStream(table(120, bad=range(100)).to_iterable_dataset()))
    with pytest.raises(DataError, match="image_column='img'"):
        as_image_dataset(table().to_iterable_dataset(), image_column="img")


class Pairs(TorchDataset):
    def __init__(self, count=6, bad=()):
        self.count, self.bad = count, bad

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index in self.bad:
            raise OSError("truncated")
        return Image.new("L", (4, 3), index), index % 3


def test_torch_data_sets():
    images = as_image_dataset(Pairs())
    assert images[4]["image"].shape == (3, 3, 4) and (images[4]["index"], images[4]["label"]) == (4, 1)
    assert images.labels.tolist() == [0, 1, 2, 0, 1, 2] and images.subset([5, 0]).labels.tolist() == [2, 0]
    assert as_image_dataset(images) is images
    given = as_image_dataset(Pairs(), labels=[7] * 6, label_names=list("abcdefgh"), channels=1)
    assert given[0]["label"] == 7 and given[0]["image"].shape[0] == 1
    broken = as_image_dataset(Pairs(30, bad=(0, 3)))
    assert broken[3]["index"] == 4 and "item 3" in broken.report()
    tensors = as_image_dataset(TensorDataset(torch.rand(4, 3, 8, 8), torch.arange(4)))
    assert tensors[2]["label"] == 2 and tensors[2]["image"].dtype == torch.uint8
    plain = as_image_dataset([np.zeros((4, 4, 3), np.uint8), Image.new("RGB", (2, 2))])
    assert plain.labels is None and "label" not in plain[1]
    captioned = as_image_dataset([{"img": Image.new("RGB", (2, 2)), "label": "a cat"}])
    assert captioned.labels is None and captioned[0]["image"].shape == (3, 2, 2)


@pytest.mark.parametrize(
    ("labels", "expected", "names"),
    [
        ([1, 0, None, 1], [1, 0, -1, 1], None),
        ([1, 0, -1, np.int64(1)], [1, 0, -1, 1], None),
        (["b", "a", None, "b"], [1, 0, -1, 1], ["a", "b"]),
        ([torch.tensor(1), torch.tensor(0), 2.0, 1], [1, 0, 2, 1], None),
        (["a red cat", "a dog", "a", "b"], None, None),  # captions
        ([None] * 4, None, None),
        ([[1], [0], [1], [1]], None, None),  # boxes
    ],
)
@pytest.mark.parametrize("form", ["pair", "dict"])
def test_items_with_labels_of_any_type(labels, expected, names, form):
    pictures = [Image.new("RGB", (4, 3), (i, i, i)) for i in range(4)]
    pairs = list(zip(pictures, labels, strict=True))
    images = as_image_dataset(pairs if form == "pair" else [{"image": p, "label": label} for p, label in pairs])
    assert images.label_names == names
    assert images.labels is None if expected is None else images.labels.tolist() == expected
    assert images[1].get("label") == (None if expected is None else expected[1])
    assert images.subset([3, 2])[1].get("label") == (None if expected is None else expected[2])


def test_folders_and_lists_of_files(tmp_path):
    for i in range(4):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        (tmp_path / "ab"[i % 2] / f"{i}.png").write_bytes(png(i))
    for folder in (tmp_path, str(tmp_path)):
        assert as_image_dataset(folder).labels.tolist() == [0, 0, 1, 1]
    files = sorted(tmp_path.rglob("*.png"))
    images = as_image_dataset([*map(str, files), tmp_path / "gone.png"])
    assert images.labels is None and images[1]["image"].unique().tolist() == [2]
    assert images.unreadable() == [("item 4 (gone.png)", "the file is gone")]
    assert as_image_dataset([(file, file.parent.name) for file in files]).label_names == ["a", "b"]
    for missing in (tmp_path / "nowhere", "nowhere"):
        with pytest.raises(DataError, match="nowhere does not exist"):
            as_image_dataset(missing)


def test_what_cannot_be_adapted():
    for dataset, message in (
        ([], "empty"),
        ([3], "item 0: no image, but int"),
        ([torch.full((3, 4, 4), torch.nan)], "NaN or infinite"),
        ([np.zeros((8, 8, 4), np.uint8)], "4 bands of unknown meaning"),
        ([{"text": "a"}], "No image among the keys text"),
        (3, "int is no data set"),
    ):
        with pytest.raises(DataError, match=message):
            as_image_dataset(dataset)
    with pytest.raises(DataError, match="image_column='img' does not exist: the keys are image"):
        as_image_dataset([{"image": Image.new("L", (1, 1))}], image_column="img")
    with pytest.raises(DataError, match="6 images came with 2 labels"):
        as_image_dataset(Pairs(), labels=[0, 1])


def test_torch_streams():
    class Numbers(IterableDataset):
        def __iter__(self):
            return iter((Image.new("L", (2, 2), i), i) for i in range(5))

    stream = as_image_dataset(Numbers())
    stream.set_epoch(2)
    assert [(s["index"] - 2 * EPOCH_STRIDE, s["label"]) for s in stream] == [(i, i) for i in range(5)]


def test_tensor_images():
    pixels = torch.arange(4 * 3 * 2 * 2, dtype=torch.uint8).view(4, 3, 2, 2)
    images = TensorImages(pixels, [0, 1, 0, 1], ["a", "b"])
    assert torch.equal(images[2]["image"], pixels[2]) and images[-1]["index"] == 3
    part = images.subset([3, 1])
    assert part.labels.tolist() == [1, 1] and torch.equal(part[0]["image"], pixels[3]) and part[0]["index"] == 0
    assert "label" not in TensorImages(pixels)[0]
    with pytest.raises(IndexError):
        images[4]
    for wrong in (pixels.float(), pixels[0], pixels[:, :2]):
        with pytest.raises(DataError, match="give uint8"):
            TensorImages(wrong)
    with pytest.raises(DataError, match="4 images came with labels"):
        TensorImages(pixels, [0])


def test_batches_are_stored_as_their_images_are():
    pixels = torch.randint(0, 256, (4, 5, 6, 3), dtype=torch.uint8)
    for planes in (False, True):
        images = [image.contiguous() if planes else image for image in pixels.permute(0, 3, 1, 2)]
        batch = collate_samples([{"image": image, "index": 0} for image in images])["image"]
        assert torch.equal(batch, pixels.permute(0, 3, 1, 2)) and batch[0].stride() == images[0].stride()


def test_batches_have_no_labels_unless_asked():
    images = TensorImages(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), [0, 1, 2, 3])
    batch = next(iter(DataLoader(images, 4, collate_fn=collate_samples)))
    assert batch.keys() == {"image", "index"} and batch["image"].shape == (4, 1, 2, 2)
    assert batch["index"].dtype == torch.long and batch["index"].tolist() == [0, 1, 2, 3]
    assert collate_samples([images[3]], with_labels=True)["labels"].tolist() == [3]
    mixed = [{"image": torch.zeros(3, n, 2, dtype=torch.uint8), "index": n} for n in (1, 2)]
    assert [image.shape for image in collate_samples(mixed)["image"]] == [(3, 1, 2), (3, 2, 2)]
    with pytest.raises(DataError, match="has no labels"):
        collate_samples(mixed, with_labels=True)
