"""The examples run as they stand, as a user would run them."""

import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoModel, AutoModelForImageClassification

from hf_ssl.hub import export_pretrained

from .conftest import build_model, build_processor
from .data.pictures import bright_and_dark

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def photos(tmp_path):
    return bright_and_dark(tmp_path / "photos", 20)


def run(script: str, *arguments) -> str:
    process = subprocess.run([sys.executable, EXAMPLES / script, *map(str, arguments)], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-3000:]
    return process.stdout


def test_pretrain_folder(photos, tmp_path):
    options = ("--image-size", 32, "--epochs", 1, "--batch-size", 8)
    assert "images were readable" in run("pretrain_folder.py", photos, tmp_path / "encoder", *options)
    assert AutoModel.from_pretrained(tmp_path / "encoder").config.model_type == "vit"


def test_fine_tune_with_trainer(photos, tmp_path):
    encoder = export_pretrained(build_model("dino").eval(), build_processor("dino"), tmp_path / "encoder")
    out = run("fine_tune_with_trainer.py", encoder, tmp_path / "tuned", "--data", photos, "--epochs", 4)
    assert "eval_accuracy" in out
    tuned = AutoModelForImageClassification.from_pretrained(tmp_path / "tuned")
    assert tuned.config.id2label == {0: "bright", 1: "dark"}


def test_continue_pretraining(photos, tmp_path):
    repository = export_pretrained(build_model("mae").eval(), build_processor("mae"), tmp_path / "repository")
    run("continue_pretraining.py", repository, photos, tmp_path / "continued", "--epochs", 1, "--batch-size", 8)
    before, after = (AutoModel.from_pretrained(folder) for folder in (repository, tmp_path / "continued"))
    assert any(not a.equal(b) for a, b in zip(before.parameters(), after.parameters(), strict=True))


def test_pretrain_from_python(photos, tmp_path):
    out = run("pretrain_from_python.py", "simclr", photos, tmp_path / "run", "--image-size", 32, "--steps", 2)
    assert "random init" in out
    card = (tmp_path / "run" / "README.md").read_text()
    assert "| optimizer steps | 2 |" in card and "Trained on **photos**" in card and "kNN accuracy" in card
