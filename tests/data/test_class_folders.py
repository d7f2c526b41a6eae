"""Which folders name the classes."""

import pytest

from hf_ssl.data import DataError, ImageFolder, load_data

from .pictures import classes, write


@pytest.mark.parametrize(
    ("folders", "beside", "level", "names"),
    [
        ({"cat": 2, "dog": 1}, (), 1, ["cat", "dog"]),
        ({"cat": 2, "dog/deep/er": 1}, (), 1, ["cat", "dog"]),
        ({"all/cats": 5, "all/dogs": 7}, (), 2, ["cats", "dogs"]),
        ({"dataset/images/a": 2, "dataset/images/b": 2}, (), 3, ["a", "b"]),
        ({"all/cats": 10, "all/dogs": 10}, ("cover.png",), 2, ["cats", "dogs"]),
        ({"animals/cat": 2, "animals/dog": 2, "cars/audi": 2}, (), 1, ["animals", "cars"]),
        ({"only": 3}, (), 0, None),
        ({"cat": 1, "dog": 1}, ("a.png",), 0, None),  # a third of the images would have no class
        ({}, ("a.png", "b.png"), 0, None),
    ],
)
def test_the_shallowest_level_that_holds_nearly_all_images(folders, beside, level, names, tmp_path):
    classes(tmp_path, folders)
    for name in beside:
        write(tmp_path / name)
    folder = ImageFolder(tmp_path)
    assert folder.label_names == names
    if names is None:
        assert folder.labels is None and "label" not in folder[0]
    else:
        assert folder.labels_from == f"the folders at level {level}"
        expected = [
            names.index(p.split("/")[level - 1]) if "/" in p else -1
            for p in map(_relative(folder), range(len(folder)))
        ]
        assert folder.labels.tolist() == expected and folder[0]["label"] == expected[0]


def _relative(folder):
    return lambda i: folder.path(i).relative_to(folder.root).as_posix()


def test_the_user_chooses_another_level(tmp_path):
    classes(tmp_path, {"animals/cat": 2, "animals/dog": 2, "cars/audi": 2})
    write(tmp_path / "cars" / "beside.png")
    assert load_data(tmp_path, label_level=1).label_names == ["animals", "cars"]
    data = load_data(tmp_path, label_level=2)
    assert data.label_names == ["audi", "cat", "dog"] and data.train.labels.tolist().count(-1) == 1
    assert "Without a label, and only trained on: 1 (cars/beside.png)." in data.summary()[1]
    none = load_data(tmp_path, label_level=0)
    assert none.train.labels is None and none.test is None and "label_level=0" in none.summary()[1]


@pytest.mark.parametrize("level", [-1, 3, 9])
def test_an_impossible_level_is_refused_with_those_that_exist(level, tmp_path):
    classes(tmp_path, {"animals/cat": 2, "animals/dog": 2, "cars/audi": 2})
    with pytest.raises(
        DataError, match=f"label_level={level} .*level 1 has 2 folders, level 2 has 3 folders; give one"
    ):
        load_data(tmp_path, label_level=level)


def test_a_level_in_a_flat_folder_is_refused(tmp_path):
    classes(tmp_path, {"only": 3})
    with pytest.raises(DataError, match="label_level=1 .*no level has two folders with images; leave it out, or 0"):
        load_data(tmp_path, label_level=1)


def test_why_there_are_no_labels(tmp_path):
    classes(tmp_path, {"cat": 1, "dog": 1})
    write(tmp_path / "a.png")
    assert load_data(tmp_path).summary()[1] == (
        "No labels: nothing will be scored (only 2 of 3 images lie in one of the 2 folders at level 1; label_level=1 "
        "takes these as classes)."
    )
    data = load_data(tmp_path, label_level=1)
    assert sorted(data.train.labels.tolist()) == [-1, 0, 1] and data.test is None
