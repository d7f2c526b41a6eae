"""Splits that a folder comes with."""

import pytest

from hf_ssl.data import DataError, load_data

from .pictures import classes, files


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("train", "val"),
        ("train", "valid"),
        ("train", "validation"),
        ("TRAIN", "Valid"),
        ("Training", "Testing"),
        ("data/train", "data/test"),
        ("dataset/images/train", "dataset/images/val"),
    ],
)
def test_train_and_test_folders_of_any_name_and_depth(train, test, tmp_path):
    classes(tmp_path, {f"{train}/cat": 2, f"{train}/dog": 2, f"{test}/dog": 1, f"{test}/emu": 2})
    data = load_data(tmp_path)
    assert files(data.train) == [f"{train}/{name}/00{i}.png" for name in ("cat", "dog") for i in (0, 1)]
    assert data.train.label_names == data.test.label_names == ["cat", "dog", "emu"]
    assert data.train.labels.tolist() == [0, 0, 1, 1] and data.test.labels.tolist() == [1, 2, 2]
    assert data.test[0]["label"] == 1 and data.train[3]["index"] == 3


def test_splits_below_the_classes(tmp_path):
    classes(tmp_path, {f"{kind}/{part}/good": 2 for kind in ("bottle", "nut") for part in ("train", "test")})
    data = load_data(tmp_path)
    assert data.label_names == ["bottle", "nut"] and data.train.labels.tolist() == [0, 0, 1, 1]
    assert all("/test/" in file for file in files(data.test)) and len(data.test) == 4


def test_a_test_folder_without_labels_is_passed_over(tmp_path):
    classes(tmp_path, {"train/cat": 5, "train/dog": 5, "val/cat": 1, "val/dog": 2, "test": 4, "extra": 3})
    data = load_data(tmp_path)
    assert len(data.test) == 3 and data.split["made_by"] == "train/ to train on, val/ to test on"
    assert data.left_out == [
        "not used for testing (test/: 4 images without labels)",
        "outside of the splits (3 images)",
    ]
    asked = load_data(tmp_path, split="train", test_split="test").test
    assert len(asked) == 4 and asked.labels is None


@pytest.mark.parametrize("unlabelled", ["test", "val/images"])  # the second is what Tiny ImageNet has
def test_without_a_labelled_test_folder_some_of_the_training_images_are_held_out(unlabelled, tmp_path):
    classes(tmp_path, {"train/cat": 5, "train/dog": 5, unlabelled: 4})
    data = load_data(tmp_path)
    assert data.test.labels.bincount().tolist() == [1, 1] and len(data.train) == 8
    assert "images without labels" in data.left_out[0]


def test_both_unlabelled(tmp_path):
    classes(tmp_path, {"train": 4, "test": 2})
    data = load_data(tmp_path)
    assert (len(data.train), len(data.test)) == (4, 2) and data.train.labels is None and data.test.labels is None


def test_the_second_of_two_test_folders_is_named(tmp_path):
    classes(tmp_path, {f"{part}/{name}": 2 for part in ("train", "test", "val") for name in "ab"})
    data = load_data(tmp_path)
    assert all(file.startswith("test/") for file in files(data.test))
    assert data.left_out == ["not used for testing (val/: 4 images)"]
    assert all(file.startswith("val/") for file in files(load_data(tmp_path, split="train", test_split="val").test))


def test_a_lone_train_folder_is_split(tmp_path):
    classes(tmp_path, {"train/cat": 5, "train/dog": 5})
    data = load_data(tmp_path)
    assert data.label_names == ["cat", "dog"] and (len(data.train), len(data.test)) == (8, 2)


def test_a_level_counts_below_the_split(tmp_path):
    classes(tmp_path, {f"{part}/all/{name}": 2 for part in ("train", "test") for name in "ab"})
    assert load_data(tmp_path, label_level=2).label_names == ["a", "b"]


@pytest.mark.parametrize(
    ("split", "test_split", "train", "test"),
    [
        ("mine", "theirs", "mine/", "theirs/"),
        ("mine/", "theirs", "mine/", "theirs/"),
        (None, "theirs", "mine/", "theirs/"),
        (".", "theirs", "mine/", "theirs/"),  # nothing that is tested on is trained on
        ("mine", None, "mine/", "mine/"),
    ],
)
def test_the_user_names_the_parts(split, test_split, train, test, tmp_path):
    classes(tmp_path, {f"{part}/{name}": 4 for part in ("mine", "theirs") for name in "ab"})
    data = load_data(tmp_path, split=split, test_split=test_split)
    assert all(file.startswith(train) for file in files(data.train))
    assert all(file.startswith(test) for file in files(data.test))
    assert not set(files(data.train)) & set(files(data.test)) and data.test.labels.min() >= 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "training"}, "split='training' is no subfolder of .*; it has a, b"),
        ({"split": "../elsewhere"}, "is no subfolder"),
        ({"split": "a", "test_split": "a"}, "are the same folder"),
        ({"split": "a", "test_split": "./a/"}, "are the same folder"),
        ({"split": "a", "test_split": "empty"}, "test_split='empty' .* holds no images"),
        ({"test_split": "."}, "nothing is left to train on"),
    ],
)
def test_parts_that_cannot_be(options, message, tmp_path):
    classes(tmp_path, {"a": 2, "b": 2})
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        load_data(tmp_path, **options)
