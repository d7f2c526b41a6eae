"""Whoever publishes a run, the command line or the Trainer: the same files, and one card with the same content."""

import json

import pytest

from hf_ssl.cli import pretrain
from hf_ssl.training import SSLTrainer

from .test_errors import exit_code, folder  # noqa: F401

_OF_THE_CLOCK = ("| wall time |", "| images a second |")  # the command counts from its own start


@pytest.fixture
def trainers(monkeypatch):
    """The Trainers that the command line makes."""
    made = []

    class Kept(SSLTrainer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr(pretrain, "SSLTrainer", Kept)
    return made


def test_one_card_whoever_publishes(hub, folder, trainers, tmp_path, monkeypatch):  # noqa: F811
    for label in ("bright", "dark"):
        (folder / label).mkdir()
    for i, path in enumerate(sorted(folder.glob("*.png"))):
        path.rename(folder / ("bright", "dark")[i % 2] / path.name)
    options = ["--data", folder, "--output-dir", tmp_path / "run", "--image-size", 16, "--max_steps", 3, "--use_cpu"]
    options += ["--per_device_train_batch_size", 4, "--logging_steps", 1, "--push_to_hub", "--hub_model_id", "me/one"]
    assert exit_code(monkeypatch, "pretrain", "dino", *options, "--learning_rate", 3e-4) == 0
    (trainer,), repo = trainers, hub.repo("me/one")
    first = repo.find("main").files
    results = json.loads(first["results.json"].content)
    trainer.push_to_hub(evaluation=results["evaluation"])
    second = repo.find("main").files
    assert len(repo.history("main")) == 3 and first.keys() == second.keys()  # with the Hub's own
    cards = [files["README.md"].content.decode().splitlines() for files in (first, second)]
    one, other = ([line for line in card if not line.startswith(_OF_THE_CLOCK)] for card in cards)
    assert one == other
    text = "\n".join(other)
    for said in (
        "Trained on **photos**. The 12 images of the folder photos, 2 classes",
        "hf-ssl pretrain dino --data",
        "| learning rate | 0.0003 |",
        "| optimizer | AdamW |",
        "| optimizer steps | 3 |",
        "The doctor",
        "kNN accuracy, %",
        "![",
    ):
        assert said in text, said
    again = json.loads(second["results.json"].content)
    for known in results["run"].keys() | again["run"].keys():
        if known not in ("seconds", "images_per_second"):
            assert again["run"][known] == results["run"][known], known
    for known in ("evaluation", "log", "export"):
        assert again[known] == results[known]
    assert {path for path, file in first.items() if file.content != second[path].content} <= {
        "README.md",
        "results.json",
    }
