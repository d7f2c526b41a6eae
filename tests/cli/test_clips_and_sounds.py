"""The whole job on a folder of clips and on one of sounds: train, kill, resume, evaluate, export, card."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import wave

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from hf_ssl.cli.card import run as write_card_again
from hf_ssl.hub.card.build import validate_card


@pytest.fixture
def clips(tmp_path):
    """Two classes, six clips each, of other lengths and sizes than the encoder's."""
    generator = np.random.default_rng(0)
    for label in ("bright", "dark"):
        for i in range(6):
            folder = tmp_path / "data" / label / f"clip_{i}"
            folder.mkdir(parents=True)
            for t in range(5 + i):
                pixels = generator.integers(0, 128, (32, 36 + i, 3)) + 127 * (label == "bright")
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{t}.png")
    (tmp_path / "data" / "dark" / "broken.gif").write_bytes(b"GIF89a")
    return tmp_path / "data"


@pytest.fixture
def sounds(tmp_path):
    """Two classes, six sounds each, of several lengths at another rate than the encoder's."""
    for label, pitch in (("high", 900), ("low", 200)):
        (tmp_path / "data" / label).mkdir(parents=True)
        for i in range(6):
            tone = np.sin(np.arange(2000 + 400 * i) * 2 * np.pi * (pitch + 9 * i) / 8000) * 20000
            with wave.open(str(tmp_path / "data" / label / f"{i}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8000)
                file.writeframes(tone.astype("<i2").tobytes())
    (tmp_path / "data" / "low" / "broken.wav").write_bytes(b"RIFF")
    return tmp_path / "data"


def command(method, data, output, *more):
    often = ["--save_strategy", "steps", "--save_steps", 1, "--logging_steps", 1]
    arguments = [
        *(method, "--data", data, "--output-dir", output, "--image-size", 32, "--recipe", "tiny", "--use_cpu"),
        *("--max_steps", 8, "--per_device_train_batch_size", 4, *often, *more),
    ]
    return [sys.executable, "-c", "from hf_ssl.cli import main; main()", "pretrain", *map(str, arguments)]


def blocks_of(card, folder):
    """The pieces of Python of a card, for the repository in `folder`."""
    return re.findall(r"```python\n(.*?)```", card.replace("path/to/this/folder", str(folder)), flags=re.DOTALL)


@pytest.mark.parametrize(("method", "kind"), [("videomae", "clips"), ("audiomae", "sounds")])
def test_killed_and_started_again_leaves_everything_it_promises(method, kind, request, tmp_path):
    data, whole, killed = request.getfixturevalue(kind), tmp_path / "whole", tmp_path / "killed"
    done = subprocess.run(command(method, data, whole), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"12 {kind}" in done.stdout and "are missing" not in done.stderr and "is left out" not in done.stderr
    process = subprocess.Popen(
        command(method, data, killed, "--no-evaluate"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not list((killed / "checkpoints").glob("checkpoint-[2-7]/trainer_state.json")):
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    again = subprocess.run(command(method, data, killed, "--no-evaluate"), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert json.loads((killed / "results.json").read_text())["run"]["resumed_from"] >= 2
    for place in ("model.safetensors", "pretraining/model.safetensors"):
        a, b = (load_file(folder / place) for folder in (whole, killed))
        assert a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)
    results, card = json.loads((whole / "results.json").read_text()), (whole / "README.md").read_text()
    assert [row["name"] for row in results["evaluation"]["rows"]][-1] == "this encoder"
    assert validate_card(card) == [] and f"training {kind}" in card and (whole / "figures" / "curve.png").is_file()
    # A reader without hf_ssl gets the embedding that the card is about, and one of a file.
    check, usage, *_ = blocks_of(card, whole)
    file = next(iter(sorted(data.glob("*/clip_5")))) if kind == "clips" else sounds_at_16_khz(tmp_path)
    usage = usage.replace('"clip/"', f'"{file}"').replace('"sound.wav"', f'"{file}"')
    code = f"{check}\n{usage}\nimport sys\nassert 'hf_ssl' not in sys.modules\nprint(tuple(embedding.shape))"
    reader = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert reader.returncode == 0, reader.stderr
    assert "(1, 96)" in reader.stdout
    write_card_again(whole, None, None, None)
    assert blocks_of((whole / "README.md").read_text(), whole) == blocks_of(card, whole)


def sounds_at_16_khz(folder):
    with wave.open(str(folder / "sound.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(np.zeros(2000, "<i2").tobytes())
    return folder / "sound.wav"
