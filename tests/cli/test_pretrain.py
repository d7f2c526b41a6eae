"""The whole job on a real folder: train, kill, resume, evaluate, export, card, pictures."""

import json
import os
import platform
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoModel

from hf_ssl.cli.card import run as write_card_again
from hf_ssl.hub import export_pretrained
from hf_ssl.hub.card.build import validate_card

from ..conftest import build_model, build_processor
from ..data.pictures import bright_and_dark


@pytest.fixture
def photos(tmp_path):
    """Two classes, thirty images each of several sizes and modes, and one broken file."""
    bright_and_dark(tmp_path / "photos", 30, varied=True)
    (tmp_path / "photos" / "dark" / "broken.jpg").write_bytes(b"not an image")
    return tmp_path / "photos"


@pytest.fixture
def encoder(tmp_path):
    """Stored in half precision, as large encoders are."""
    return export_pretrained(build_model("simclr").half().eval(), build_processor("simclr"), tmp_path / "encoder")


def command(method, photos, encoder, output, *more):
    arguments = [
        *(method, "--data", photos, "--backbone", encoder, "--output-dir", output, "--image-size", 32),
        *("--num_train_epochs", 2, "--per_device_train_batch_size", 8, "--logging_steps", 1, "--use_cpu"),
        *("--save_strategy", "steps", "--save_steps", 1, *more),
    ]
    return [sys.executable, "-c", "from hf_ssl.cli import main; main()", "pretrain", *map(str, arguments)]


def ramp():
    row, column, colour = np.indices((32, 32, 3))
    return ((7 * row + 3 * column + 50 * colour) % 256).astype(np.uint8)


@pytest.mark.parametrize("method", ["simclr", "dino", "supervised", "fixmatch"])
def test_a_run_leaves_everything_it_promises(method, photos, encoder, tmp_path):
    output = tmp_path / "run"
    run = subprocess.run(command(method, photos, encoder, output), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "raw pixels" in run.stdout and "random init" in run.stdout
    assert "broken.jpg" in run.stderr and run.stderr.count("\n") <= 5, run.stderr
    model, processor = AutoModel.from_pretrained(output), AutoImageProcessor.from_pretrained(output)
    image = Image.open(next((photos / "dark").glob("*.png")))
    assert model(**processor(image, return_tensors="pt")).pooler_output.shape == (1, 48)
    card = (output / "README.md").read_text()
    results = json.loads((output / "results.json").read_text())
    assert validate_card(card) == []
    rows = {row["name"]: row for row in results["evaluation"]["rows"]}
    assert list(rows) == ["raw pixels", "random init", "before", "this encoder"]
    assert "than before" in run.stdout and "The row before is the encoder that training started from." in card
    assert f"{rows['this encoder']['knn']:.1f}" in card
    assert results["run"]["steps"] == 12 and results["run"]["base_model"] == str(encoder)
    assert results["run"]["resumed_from"] == 0 and f"python {platform.python_version()}" in card
    figures = {p.name for p in (output / "figures").iterdir()}
    assert all(f"](figures/{name})" in card for name in figures)
    embedding = model(**processor(Image.fromarray(ramp()), return_tensors="pt")).pooler_output[0, :8]
    torch.testing.assert_close(embedding, torch.tensor(results["embedding_check"]["first"]), atol=1e-6, rtol=1e-6)
    if method == "simclr":  # the card is what `hf-ssl card` makes of the repository
        write_card_again(output, license=None, repo_id=None)
        assert (output / "README.md").read_text() == card
    assert {"attention.png", "features.png", "curve.png", "neighbours.png", "views.png"} <= figures
    again = subprocess.run(command(method, photos, encoder, output), capture_output=True, text=True)
    assert again.returncode == 2 and "finished" in again.stderr
    other = subprocess.run(command("mae", photos, encoder, output), capture_output=True, text=True)
    assert other.returncode == 2 and f"holds a run of {method}, not of mae" in other.stderr


def test_killed_and_started_again_equals_one_run(photos, encoder, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command("simclr", photos, encoder, whole, "--no-evaluate"), check=True, capture_output=True)
    process = subprocess.Popen(
        command("simclr", photos, encoder, killed, "--no-evaluate"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not list((killed / "checkpoints").glob("checkpoint-[3-9]/trainer_state.json")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "config.json").exists() and not (killed / "results.json").exists()
    again = subprocess.run(command("simclr", photos, encoder, killed, "--no-evaluate"), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr[-2000:]
    start = json.loads((killed / "results.json").read_text())["run"]["resumed_from"]
    assert start >= 3 and f"from step {start} on, where it was picked up" in (killed / "README.md").read_text()
    a, b = (load_file(folder / "pretraining" / "model.safetensors") for folder in (whole, killed))
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("method", ["deepcluster_v2", "moco_v2"])
def test_two_images_are_timed_and_trained_on(method, tmp_path, monkeypatch):
    """Memories and queues are made for the data before a step is timed, and batch norm gets two images."""
    from hf_ssl.cli import main

    (tmp_path / "two").mkdir()
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "two" / f"{i}.png")
    words = ("pretrain", method, "--data", tmp_path / "two", "--output-dir", tmp_path / "out", "--max_steps", 1)
    monkeypatch.setattr("sys.argv", ["hf-ssl", *map(str, words)])
    with pytest.raises(SystemExit) as exit_info:
        main()
    assert exit_info.value.code == 0 and (tmp_path / "out" / "results.json").is_file()
