"""What a run says at its start."""

import pytest
import torch

from hf_ssl.data import Data, DataError, TensorImages, load_data

from .pictures import classes, write


def test_a_labelled_folder(tmp_path):
    classes(tmp_path, {"cat": 10, "dog": 5})
    write(tmp_path / "dog" / "large.jpg", size=(60, 50))
    (tmp_path / "notes.txt").write_text("none")
    data = load_data(tmp_path)
    assert data.summary() == [
        f"{tmp_path.name}: 16 images, 13 to train on, 3 to test on (20% of every class, data seed 0).",
        "2 classes (the folders at level 1): cat, dog; 5 to 8 to train on in each.",
        "Sizes: median 6 x 5 pixels, smallest 6 x 5, largest 60 x 50; 94 % PNG, 6 % JPEG; gray, 8 bits.",
        "Left out: not an image (.txt).",
    ]
    assert sorted(data.sizes())[-1] == (60, 50) and len(data.sizes()) == 16


def test_an_unlabelled_folder(tmp_path):
    for i in range(3):
        write(tmp_path / f"{i}.png")
    assert load_data(tmp_path).summary() == [
        f"{tmp_path.name}: 3 images, all to train on.",
        "No labels: nothing will be scored (no two folders to name classes).",
        "Sizes: all 6 x 5 pixels; 100 % PNG; gray, 8 bits.",
    ]


def test_a_folder_of_which_one_class_can_be_read(tmp_path):
    classes(tmp_path, {"cat": 3, "dog": 3})
    for file in (tmp_path / "cat").iterdir():
        file.write_bytes(b"")
    assert load_data(tmp_path).summary()[1] == (
        "No labels: nothing will be scored (of the folders at level 1 only dog has images that can be read)."
    )


def test_many_classes_are_not_all_named(tmp_path):
    classes(tmp_path, {f"c{i}": 2 for i in range(9)})
    assert load_data(tmp_path).summary()[1] == (
        "9 classes (the folders at level 1): c0, c1, c2, c3, c4, …; 1 to train on in each."
    )


def test_classes_of_one_image_each(tmp_path):
    classes(tmp_path, {"a": 1, "b": 1})
    assert (
        load_data(tmp_path).summary()[0].endswith("2 images, all to train on (nothing is held out: no class has two).")
    )


@pytest.mark.parametrize("labels", [None, [0, 1, 0, 1]])
def test_tensors_and_data_that_a_user_made(labels):
    images = TensorImages(torch.zeros(4, 1, 5, 6, dtype=torch.uint8), labels, labels and ["a", "b"])
    lines = Data("mine", images, None, images.label_names, "", "").summary()
    assert lines[0] == "mine: 4 images, all to train on." and lines[2] == "Sizes: all 6 x 5 pixels; gray, 8 bits."
    assert ("2 classes" in lines[1]) == (labels is not None)


def test_one_image_is_no_images(tmp_path):
    for name in ("train/a/0", "train/b/0", "val/a/0", "other/0"):
        write(tmp_path / f"{name}.png")
    (tmp_path / "train" / "a" / "1.png").write_bytes(b"a text")
    for name in ("x.tga", "y.ico", "z.eps"):
        (tmp_path / name).write_bytes(b"x")
    data = load_data(tmp_path)
    assert "outside of the splits (1 image)" in data.left_out
    assert "a picture format that is not read (.eps, .ico, .tga)" in data.left_out
    assert any(line.startswith("Cannot be read: 1 image (train/a/1.png: ") for line in data.summary())
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match="^The only image in .* cannot be read .a.png: the file is empty"):
        load_data(tmp_path / "alone")
