"""The split that holds images out: the same for whoever makes it."""

import pytest
import torch

from hf_ssl.data import DataError, TensorImages, load_data
from hf_ssl.data.splits import few_indices, fingerprint, split_indices

from .pictures import classes, files, write

KEYS = [b"%d.png" % i for i in range(200)]
LABELS = torch.arange(200) % 4


def held_out(keys, labels=LABELS, seed=0):
    return {keys[i] for i in split_indices(keys, labels, 0.2, seed)[1]}


def test_the_order_of_the_files_plays_no_role():
    order = torch.randperm(200, generator=torch.Generator().manual_seed(1))
    assert held_out([KEYS[i] for i in order], LABELS[order]) == held_out(KEYS) != held_out(KEYS, seed=1)


def test_the_split_is_this_one():
    """It must stay the same in later versions, or an encoder would be tested on what it was trained on."""
    keys = [b"cat/%d.jpg" % i for i in range(10)]
    assert split_indices(keys, torch.zeros(10, dtype=torch.long), 0.2, 0)[1] == [2, 9]


def test_few_images_change_sides_when_some_are_added():
    more = KEYS + [b"new-%d.png" % i for i in range(20)]
    before, after = held_out(KEYS), held_out(more, torch.arange(220) % 4)
    assert len(after - before - set(more[200:])) <= 4 and len(before - after) <= 8


def test_every_class_is_divided_and_what_is_alone_or_unlabelled_is_for_training():
    labels = torch.tensor([0] * 10 + [1] * 2 + [2] + [-1] * 50)
    keys = [b"%d" % i for i in range(len(labels))]
    train, test = split_indices(keys, labels, 0.2, 0)
    assert labels[test].tolist() == [0, 0, 1] and sorted(train + test) == list(range(len(labels)))
    assert split_indices(keys, labels, 0.0, 0)[1] == []
    assert labels[split_indices(keys, labels, 0.99, 0)[0]].unique().tolist() == [-1, 0, 1, 2]


@pytest.mark.parametrize(("fraction", "seed"), [(1, 0), (-0.1, 0), (0.2, -1)])
def test_what_is_no_share_or_seed(fraction, seed):
    with pytest.raises(DataError, match="test_fraction|seed"):
        split_indices(KEYS, LABELS, fraction, seed)


def test_few_indices_take_the_classes_in_turn():
    labels = torch.tensor([0] * 50 + [1] * 2 + [2] * 8)
    assert labels[few_indices(60, labels, 9, 0)].bincount().tolist() == [4, 2, 3]
    assert len(few_indices(60, None, 9, 0)) == 9 and few_indices(0, None, 9, 0) == []


def test_a_folder_is_split_by_its_names(tmp_path):
    classes(tmp_path, {"cat": 10, "dog": 5, "emu": 1})
    data = load_data(tmp_path, seed=3)
    assert data.train.labels.bincount().tolist() == [8, 4, 1]
    assert data.test.labels.bincount(minlength=3).tolist() == [2, 1, 0]
    again, other = load_data(tmp_path, seed=3), load_data(tmp_path, seed=4)
    assert files(again.test) == files(data.test) != files(other.test)
    assert not set(files(data.train)) & set(files(data.test))
    assert [s["index"] for s in data.test.__getitems__([0, 1, 2])] == [0, 1, 2]
    assert load_data(tmp_path, test_fraction=0).test is None
    limited = load_data(tmp_path, limit=3)
    assert limited.train.labels.tolist() == [0, 1, 2] and limited.test.labels.tolist() == [0, 0, 1]
    assert (
        again.split
        == data.split
        == {
            "made_by": "20% of every class, data seed 3",
            "seed": 3,
            "test_fraction": 0.2,
            "train": 13,
            "test": 3,
            "test_sha256": fingerprint([str(file).encode() for file in files(data.test)]),
        }
    )
    assert other.split["test_sha256"] != data.split["test_sha256"]


def test_a_file_that_breaks_moves_no_other(tmp_path):
    classes(tmp_path, {"cat": 50, "dog": 50})
    before = files(load_data(tmp_path).test)
    (tmp_path / before[0]).write_bytes(b"")
    after = files(load_data(tmp_path).test)
    assert set(before[1:]) <= set(after) and len(after) == 20


def test_subsets_of_tensors_keep_their_keys():
    images = TensorImages(torch.zeros(6, 1, 2, 2, dtype=torch.uint8))
    assert images.subset([5, 1]).subset([1]).keys() == [b"1"] and len(images.keys()) == 6
    assert images.sizes() == [(2, 2)] * 6


def test_partly_labelled_images(tmp_path):
    for i in range(12):
        write(tmp_path / f"{i:02d}.png", i)
    (tmp_path / "metadata.csv").write_text("file_name,label\n" + "".join(f"{i:02d}.png,{i % 2}\n" for i in range(6)))
    data = load_data(tmp_path)
    assert data.test.labels.tolist().count(-1) == 0 and len(data.test) == 2
    assert data.train.labels.tolist().count(-1) == 6 and len(data.train) == 10
