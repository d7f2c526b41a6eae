"""Pairs of an image and its caption, from a folder with a table, from a datasets.Dataset, from a list of dicts."""

import json

import datasets
import pytest
import torch
from PIL import Image

from hf_ssl.data import DataError, TensorImages, as_image_dataset, load_data
from hf_ssl.data.kept import KeptImages

from .pictures import classes, write

CAPTIONS = ["a red  square", "eine Katze", "", "two dogs", "a cat", "the sea"]


def write_captions(folder, column="text", **columns):
    for i in range(len(CAPTIONS)):
        write(folder / f"{i}.png", i)
    rows = [
        {"file_name": f"{i}.png", column: caption, **{name: values[i] for name, values in columns.items()}}
        for i, caption in enumerate(CAPTIONS)
    ]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def texts(dataset):
    return [sample["text"] for sample in (dataset[i] for i in range(len(dataset)))]


def test_a_folder_with_a_table(tmp_path):
    write_captions(tmp_path)
    data = load_data(tmp_path, captions=True)
    assert texts(data.train) == ["a red square", "eine Katze", "two dogs", "a cat", "the sea"]
    assert data.left_out == ["1 image without a caption"] and data.test is None
    assert "Captions: column 'text' of the metadata; median 2 words, longest 3." in data.summary()
    assert texts(data.train.subset([3, 0])) == ["a cat", "a red square"]
    assert "text" not in load_data(tmp_path).train[0]


def test_captions_and_labels_of_both_parts(tmp_path):
    write_captions(tmp_path, "Caption", label=list("aabbab"))
    data = load_data(tmp_path, captions=True)
    assert data.label_names == ["a", "b"] and len(data.train) + len(data.test) == 5
    assert sorted(texts(data.train) + texts(data.test)) == sorted(
        ["a red square", "eine Katze", "two dogs", "a cat", "the sea"]
    )
    by_caption = {
        s["text"]: s["label"] for part in (data.train, data.test) for s in (part[i] for i in range(len(part)))
    }
    assert by_caption == {"a red square": 0, "eine Katze": 0, "two dogs": 1, "a cat": 0, "the sea": 1}


def test_captions_beside_class_folders(tmp_path):
    classes(tmp_path, {"x": 3, "y": 3})
    rows = ["file_name,text", *(f"{name}/00{i}.png,an {name} number {i}" for name in "xy" for i in range(3))]
    (tmp_path / "metadata.csv").write_text("\n".join(rows))
    data = load_data(tmp_path, captions=True)
    for part in (data.train, data.test):
        for i in range(len(part)):
            assert part[i]["text"].split()[1] == data.label_names[part[i]["label"]]


def test_a_column_of_another_name(tmp_path):
    write_captions(tmp_path, "what")
    with pytest.raises(DataError, match="has no captions: add a metadata.csv or metadata.jsonl"):
        load_data(tmp_path, captions=True)
    assert len(load_data(tmp_path, captions=True, text_column="what").train) == 5
    with pytest.raises(DataError, match="text_column='wat' does not exist in metadata.jsonl .* are what"):
        load_data(tmp_path, captions=True, text_column="wat")
    with pytest.raises(DataError, match="text_column='what' means nothing for images without captions"):
        load_data(tmp_path, text_column="what")


def test_a_datasets_dataset():
    rows = {
        "image": [Image.new("RGB", (8, 8), (i, 0, 0)) for i in range(6)],
        "caption": CAPTIONS,
        "label": [0, 1, 0, 1, 0, 1],
    }
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "caption": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["a", "b"]),
        }
    )
    table = datasets.Dataset.from_dict(rows, features)
    images = as_image_dataset(table, captions=True)
    assert texts(images)[2:] == ["two dogs", "a cat", "the sea"]
    assert [images[i]["label"] for i in range(5)] == [0, 1, 1, 0, 1]
    with pytest.raises(DataError, match="There is no caption column: the columns are image, label"):
        as_image_dataset(table.remove_columns("caption"), captions=True)
    with pytest.raises(DataError, match="Captions of a stream are not read"):
        as_image_dataset(table.to_iterable_dataset(), captions=True)


def test_a_list_of_dicts():
    images = [torch.full((3, 8, 8), i, dtype=torch.uint8) for i in range(6)]
    items = [{"image": image, "text": caption} for image, caption in zip(images, CAPTIONS, strict=True)]
    dataset = as_image_dataset(items, captions=True)
    assert [(s["text"], int(s["image"][0, 0, 0])) for s in (dataset[i] for i in range(5))] == [
        ("a red square", 0),
        ("eine Katze", 1),
        ("two dogs", 3),
        ("a cat", 4),
        ("the sea", 5),
    ]
    assert as_image_dataset(dataset, captions=True) is dataset
    with pytest.raises(DataError, match="No item of the list has a caption"):
        as_image_dataset(images, captions=True)
    with pytest.raises(DataError, match="TensorImages has no captions"):
        as_image_dataset(TensorImages(torch.stack(images)), captions=True)


def test_captions_stay_with_their_image_when_another_cannot_be_read(tmp_path):
    write_captions(tmp_path)
    (tmp_path / "1.png").write_bytes(b"no picture")
    data = load_data(tmp_path, captions=True)
    sample = data.train[1]  # its own file is damaged: the next one takes its place
    assert sample["text"] == data.train.captions[sample["index"]] == "two dogs"


def test_images_in_memory_carry_captions():
    images = torch.zeros(3, 3, 4, 4, dtype=torch.uint8)
    dataset = TensorImages(images, captions=["a", "b", "c"])
    assert texts(dataset.subset([2, 0])) == ["c", "a"] and texts(KeptImages(dataset, 10**6)) == ["a", "b", "c"]
    with pytest.raises(DataError, match="3 images came with 1 caption"):
        TensorImages(images, captions=["a"])
