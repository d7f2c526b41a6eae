"""Folders: which files, which labels, which splits, and what happens to files that cannot be read."""

import os
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from hf_ssl.data import DataError, ImageFolder, collate_images, load_data


def write(path, value=0, size=(6, 5)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)
    return path


def classes(root, counts, suffix=".png"):
    value = 0
    for name, count in counts.items():
        for i in range(count):
            write(root / name / f"{i:03d}{suffix}", value)
            value += 1
    return root


def damage(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_labels_are_the_first_level_subfolders(tmp_path):
    classes(tmp_path, {"cat": 2, "dog": 1})
    write(tmp_path / "cat" / "deep" / "er" / "x.PNG", 9)
    folder = ImageFolder(tmp_path)
    assert folder.label_names == ["cat", "dog"] and folder.labels.tolist() == [0, 0, 0, 1]
    assert len(folder) == 4 and folder[3]["label"] == 1 and folder[3]["index"] == 3
    assert folder[0]["image"].shape == (3, 5, 6) and folder[0]["image"].dtype == torch.uint8
    assert folder[-1]["index"] == 3
    with pytest.raises(IndexError):
        folder[4]


def test_flat_mixed_and_single_folders_have_no_labels(tmp_path):
    write(tmp_path / "flat" / "a.png")
    classes(tmp_path / "single", {"only": 3})
    classes(tmp_path / "mixed", {"cat": 1, "dog": 1})
    write(tmp_path / "mixed" / "a.png")
    for name in ("flat", "single", "mixed"):
        folder = ImageFolder(tmp_path / name)
        assert folder.labels is None and folder.label_names is None and "label" not in folder[0]
        assert load_data(tmp_path / name).test is None


def test_hidden_files_and_other_files_are_ignored(tmp_path):
    for name in ("a.png", ".b.png", ".git/c.png", "__MACOSX/d.png", "sub/._e.png"):
        write(tmp_path / name)
    (tmp_path / "readme.txt").write_text("no image")
    assert [p.name for p in map(ImageFolder(tmp_path).path, range(1))] == ["a.png"]
    assert len(ImageFolder(tmp_path)) == 1


def test_links_are_followed_once_and_loops_end(tmp_path):
    classes(tmp_path / "root", {"cat": 2, "zebra": 1})
    write(tmp_path / "elsewhere" / "a.png")
    os.symlink(tmp_path / "root", tmp_path / "root" / "cat" / "loop")
    os.symlink(tmp_path / "root" / "zebra", tmp_path / "root" / "alias")
    os.symlink(tmp_path / "elsewhere", tmp_path / "root" / "dog")
    folder = ImageFolder(tmp_path / "root")
    assert folder.label_names == ["cat", "dog", "zebra"] and len(folder) == 4


def test_every_image_has_the_channels_asked_for(tmp_path):
    Image.new("L", (4, 4), 7).save(tmp_path / "a.png")
    Image.new("RGBA", (4, 4), "red").save(tmp_path / "b.png")
    assert [s["image"].shape[0] for s in ImageFolder(tmp_path).__getitems__([0, 1])] == [3, 3]
    assert [s["image"].shape[0] for s in ImageFolder(tmp_path, channels=1).__getitems__([0, 1])] == [1, 1]
    assert load_data(tmp_path, channels=1).train[0]["image"].shape[0] == 1


def test_train_and_test_subfolders_are_the_splits(tmp_path):
    classes(tmp_path / "train", {"cat": 2, "dog": 2})
    classes(tmp_path / "val", {"dog": 1, "emu": 2})
    data = load_data(tmp_path)
    assert (len(data.train), len(data.test)) == (4, 3)
    assert data.train.label_names == data.test.label_names == ["cat", "dog", "emu"]
    assert data.test.labels.tolist() == [1, 2, 2] and data.test[0]["label"] == 1
    write(tmp_path / "test" / "unlabelled.png")  # as in ImageNet
    assert len(load_data(tmp_path).test) == 3
    assert len(load_data(tmp_path, split="train", test_split="test").test) == 1


def test_a_lone_train_folder_is_split(tmp_path):
    classes(tmp_path / "train", {"cat": 5, "dog": 5})
    data = load_data(tmp_path)
    assert data.label_names == ["cat", "dog"] and (len(data.train), len(data.test)) == (8, 2)


def test_the_split_is_stratified_and_deterministic(tmp_path):
    classes(tmp_path, {"cat": 10, "dog": 5, "emu": 1})
    data = load_data(tmp_path, test_fraction=0.2, seed=3)
    assert data.train.labels.bincount().tolist() == [8, 4, 1]
    assert data.test.labels.bincount(minlength=3).tolist() == [2, 1, 0]

    def files(folder):
        return [str(folder.path(i)) for i in range(len(folder))]

    again, other = load_data(tmp_path, seed=3), load_data(tmp_path, seed=4)
    assert files(again.test) == files(data.test) != files(other.test)
    assert not set(files(data.train)) & set(files(data.test))
    assert [s["index"] for s in data.test.__getitems__([0, 1, 2])] == [0, 1, 2]
    assert load_data(tmp_path, test_fraction=0).test is None
    limited = load_data(tmp_path, limit=3)
    assert limited.train.labels.tolist() == [0, 1, 2] and limited.test.labels.tolist() == [0, 0, 1]


@pytest.fixture
def damaged(tmp_path):
    """30 images of which three cannot be read: truncated, empty, and a text."""
    for i in range(30):
        write(tmp_path / f"{i:02d}.jpg", i, size=(40, 40))
    damage(tmp_path / "03.jpg")
    (tmp_path / "04.jpg").write_bytes(b"")
    (tmp_path / "29.jpg").write_text("this is a text")
    return tmp_path


def test_unreadable_files_are_replaced_by_the_next_readable_one(damaged):
    folder = ImageFolder(damaged)
    assert folder.report() is None
    assert [s["index"] for s in folder.__getitems__([2, 3, 4, 5, 29])] == [2, 5, 5, 5, 0]
    assert torch.equal(folder[3]["image"], folder[5]["image"])
    assert [p.name for p in folder.unreadable_files()] == ["03.jpg", "04.jpg", "29.jpg"]
    assert folder.report() == (
        f"3 of 30 images in {damaged} could not be read and were replaced by the next readable one: "
        "03.jpg, 04.jpg, 29.jpg."
    )


@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_failures_in_workers_reach_the_main_process(damaged, context):
    folder = ImageFolder(damaged, max_unreadable=0.2)  # exactly a tenth is bad: the order of workers would decide
    loader = DataLoader(
        folder, batch_size=4, num_workers=2, collate_fn=collate_images, multiprocessing_context=context
    )
    batches = list(loader)
    assert sum(len(batch["index"]) for batch in batches) == 30
    assert [p.name for p in folder.unreadable_files()] == ["03.jpg", "04.jpg", "29.jpg"]


def test_too_many_unreadable_files_stop_the_run(damaged):
    for i in range(5, 15):
        (damaged / f"{i:02d}.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"\d+ of the first \d+ images .*max_unreadable=0.1: 03.jpg, .* raise max_unr"):
        list(DataLoader(ImageFolder(damaged), batch_size=5, collate_fn=collate_images))
    tolerant = load_data(damaged, max_unreadable=0.7).train
    assert len([tolerant[i] for i in range(30)]) == 30 and len(tolerant.unreadable_files()) == 13
    assert "04.jpg" in tolerant.report() and "and 3 more" in tolerant.report()


@pytest.mark.slow  # torch waits 5 seconds for a worker that raised
def test_a_worker_stops_the_run_too(damaged):
    with pytest.raises(DataError, match="of the first .* raise max_unreadable"):
        list(DataLoader(ImageFolder(damaged, max_unreadable=0), 5, collate_fn=collate_images, num_workers=1))


def test_a_good_image_can_complete_the_evidence(tmp_path):
    for i in range(30):
        write(tmp_path / f"{i:02d}.png")
    for i in (0, 1, 2):
        damage(tmp_path / f"{i:02d}.png")
    folder = ImageFolder(tmp_path)
    assert len(folder.__getitems__(list(range(19)))) == 19  # too few seen to judge
    with pytest.raises(DataError, match="3 of the first 20"):
        folder[19]


def test_nothing_readable(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match="2 of the first 2 .* a.jpg, b.jpg"):
        ImageFolder(tmp_path)[0]
    with pytest.raises(DataError, match="None of the 2 images"):
        ImageFolder(tmp_path, max_unreadable=1)[0]


def test_a_decompression_bomb_is_unreadable(tmp_path, monkeypatch):
    for i in range(3):
        write(tmp_path / f"{i}.png")
    write(tmp_path / "3.png", size=(100, 100))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    folder = ImageFolder(tmp_path, max_unreadable=0.5)
    assert folder[3]["index"] == 0 and [p.name for p in folder.unreadable_files()] == ["3.png"]


def test_a_file_deleted_during_the_run_is_replaced(tmp_path):
    classes(tmp_path, {"cat": 15, "dog": 15})
    folder = ImageFolder(tmp_path)
    folder.path(14).unlink()
    sample = folder[14]
    assert (sample["index"], sample["label"]) == (15, 1)


def test_subset_keeps_its_own_record(damaged):
    folder = ImageFolder(damaged, max_unreadable=1)
    part = folder.subset([2, 3, 5])
    assert [s["index"] for s in part.__getitems__([0, 1, 2])] == [0, 2, 2]
    assert [p.name for p in part.unreadable_files()] == ["03.jpg"] and folder.report() is None


def test_a_name_that_is_no_text_can_be_printed(tmp_path):
    write(tmp_path / "a.png")
    with open(os.fsencode(tmp_path) + b"/\xff\xfe.png", "wb"):
        pass
    folder = ImageFolder(tmp_path, max_unreadable=0.5)
    assert folder[1]["index"] == 0
    folder.report().encode("utf-8")


def test_a_folder_survives_pickling(damaged):
    assert np.array_equal(
        pickle.loads(pickle.dumps(ImageFolder(damaged)))[0]["image"], ImageFolder(damaged)[0]["image"]
    )
