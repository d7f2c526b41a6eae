"""Whatever somebody trains on: a data set of ours, of datasets, of torch, a list of files, the name of a folder."""

from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from hf_ssl import SSLTrainer, SSLTrainingArguments
from hf_ssl.data import DataError, load_data
from hf_ssl.training.run_record import RunRecord

from ..conftest import build_model, build_processor


@pytest.fixture
def photos(tmp_path):
    generator = np.random.default_rng(0)
    for label in ("bright", "dark"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for i in range(6):
            pixels = generator.integers(0, 256, (32, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{i}.png")
    return tmp_path / "photos"


def trainer(tmp_path, train, test=None, **options):
    options = {"per_device_train_batch_size": 4, "max_steps": 1, "use_cpu": True, "disable_tqdm": True} | options
    arguments = SSLTrainingArguments(str(tmp_path / "out"), save_strategy="no", **options)
    return SSLTrainer(build_model("simclr"), arguments, build_processor("simclr"), train, test)


class Pairs(torch.utils.data.Dataset):
    def __init__(self, files):
        self.files = files

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return Image.open(self.files[index]), index % 2


SOURCES = {
    "a folder's name": str,
    "a path": Path,
    "files": lambda folder: sorted(map(str, folder.rglob("*.png"))),
    "datasets": lambda folder: datasets.load_dataset("imagefolder", data_dir=str(folder), split="train"),
    "torch": lambda folder: Pairs(sorted(folder.rglob("*.png"))),
}


@pytest.mark.parametrize("source", SOURCES)
def test_any_data_set(source, photos, tmp_path, capsys):
    made = trainer(tmp_path, SOURCES[source](photos))
    assert len(made.train_dataset) == 12 and made.train().global_step == 1
    said = capsys.readouterr().out
    assert "12 images, all to train on" in said and "Sizes: all 40 x 32 pixels" in said
    labelled = source != "files"
    assert ("2 classes" in said) is labelled and ("No labels: nothing will be scored" in said) is not labelled
    named = {"a folder's name": "photos", "a path": "photos", "datasets": "imagefolder"}.get(source)
    assert RunRecord.from_trainer(made).run.get("dataset") == named


def test_what_load_data_gives(photos, tmp_path, capsys):
    data = load_data(photos)
    made = trainer(tmp_path, data)
    assert made.train_dataset is data.train and made.eval_dataset is data.test
    assert capsys.readouterr().out == ""  # whoever loaded them has seen it
    run = RunRecord.from_trainer(made).run
    assert run["dataset"] == "photos" and run["split"]["test_sha256"] and "2 classes" in run["dataset_description"]
    assert run["seconds"] is None and run["steps"] == 0


def test_test_images_are_read_as_those_to_train_on(photos, tmp_path):
    test = tmp_path / "test"
    for label in ("dark", "aglow"):  # a class of its own would come first by name
        (test / label).mkdir(parents=True)
        for i in (0, 1):
            (photos / "dark" / f"{i + 2 * (label == 'dark')}.png").rename(test / label / f"{i}.png")
    made = trainer(tmp_path, str(photos), {"other": str(test)})
    other, names = made.eval_dataset["other"], made.train_dataset.label_names
    assert other.pixel_format is made.train_dataset.pixel_format
    assert names == ["bright", "dark", "aglow"] and [names[label] for label in other.labels] == [
        *("aglow", "aglow", "dark", "dark")
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (lambda folder: str(folder / "nowhere"), "nowhere"),
        (lambda folder: {"train": str(folder)}, "give one of its splits"),
        (lambda folder: [], "empty"),
        (lambda folder: 3, "int is no data set"),
    ],
)
def test_what_is_no_data_set(source, message, photos, tmp_path):
    with pytest.raises(DataError, match=message):
        trainer(tmp_path, source(photos))
