"""Every mistake of a user ends in one sentence that names the culprit, exit code 2, and nothing half-written."""

import sys

import numpy as np
import pytest
from PIL import Image

from hf_ssl.cli import main
from hf_ssl.hub import export_pretrained

from ..conftest import build_model, build_processor


def exit_code(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["hf-ssl", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_info:
        main()
    return exit_info.value.code


def hf_ssl(monkeypatch, capsys, *arguments):
    """Exit code and the last line of standard error."""
    code = exit_code(monkeypatch, *arguments)
    lines = capsys.readouterr().err.strip().splitlines()
    return code, lines[-1] if lines else ""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    generator = np.random.default_rng(0)
    for i in range(12):
        pixels = generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
    return tmp_path / "photos"


def cases(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.png").write_bytes(b"x")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").write_text("mine")
    out = ["--output-dir", tmp_path / "out"]
    return {
        "unknown method": (["simclrr", *out], "'simclrr'. Did you mean 'simclr'?"),
        "empty folder": (["simclr", "--data", tmp_path / "empty", *out], "empty"),
        "file": (["simclr", "--data", tmp_path / "file.png", *out], "file.png"),
        "no such folder": (["simclr", "--data", tmp_path / "nowhere", *out], "nowhere"),
        "misspelt data": (["simclr", "--data", "photo-patchs", *out], "photo-patches"),
        "unknown backbone": (["simclr", "--backbone", "vit-tinny", *out], "Did you mean 'vit-tiny'?"),
        "below a patch": (["simclr", "--data", folder, "--image-size", 2, *out], "smaller than one patch of 4"),
        "batch of one": (
            ["simclr", "--data", folder, "--per_device_train_batch_size", 1, *out],
            "per_device_train_batch_size must be at least 2",
        ),
        "batch above the data": (
            ["simclr", "--data", folder, "--per_device_train_batch_size", 64, *out],
            "hold 12 images, less than one batch of 64",
        ),
        "taken folder": (["simclr", "--output-dir", tmp_path / "taken"], "holds something else"),
        "output is a file": (["simclr", "--output-dir", tmp_path / "file.png"], "is a file"),
        "config field": (["simclr", "--config", "temprature=1", *out], "'temprature'. Did you mean 'temperature'?"),
        "config value": (["simclr", "--config", "temperature=hot", *out], "temperature"),
        "config without value": (["simclr", "--config", "temperature", *out], "NAME=VALUE"),
        "processor field": (["simclr", "--processor", "crop_scle=1", *out], "Did you mean 'crop_scale'?"),
        "training argument": (["simclr", "--num_train_epoch", 3, *out], "--num_train_epoch"),
        "training value": (["simclr", "--learning_rate", "fast", *out], "learning_rate"),
        "recipe": (["simclr", "--recipe", "papr", *out], "Did you mean 'paper'?"),
        "method and backbone": (["mae", "--backbone", "resnet-18", *out], "plain ViT backbone, got 'resnet'"),
    }


def test_mistakes(folder, tmp_path, monkeypatch, capsys):
    for name, (arguments, expected) in cases(folder, tmp_path).items():
        code, message = hf_ssl(monkeypatch, capsys, "pretrain", *arguments)
        assert code == 2, name
        assert expected in message, (name, message)
        assert len(message) < 500 and not (tmp_path / "out" / "config.json").exists(), name
    assert [p.name for p in (tmp_path / "taken").iterdir()] == ["thesis.tex"]


def test_too_many_broken_files(folder, tmp_path, monkeypatch, capsys):
    for i in range(13):
        (folder / f"broken-{i}.png").write_bytes(b"no picture")
    arguments = ["--data", folder, "--output-dir", tmp_path / "out", "--dataloader_num_workers", 1]
    code, message = hf_ssl(monkeypatch, capsys, "pretrain", *arguments, "--per_device_train_batch_size", 8)
    assert code == 2 and "Traceback" not in message
    assert f"13 of the 25 images in {folder} cannot be read" in message and "max_unreadable" in message
    assert not (tmp_path / "out").exists()


def test_mistakes_of_evaluate_and_export(folder, tmp_path, monkeypatch, capsys):
    repository = export_pretrained(build_model("simclr").eval(), build_processor("simclr"), tmp_path / "repository")
    code, message = hf_ssl(monkeypatch, capsys, "evaluate", repository, "--data", folder)
    assert code == 2 and "no labels" in message
    code, message = hf_ssl(monkeypatch, capsys, "evaluate", tmp_path / "nowhere")
    assert code == 2 and "nowhere" in message
    code, message = hf_ssl(monkeypatch, capsys, "export", repository, folder)
    assert code == 2 and "not an empty folder" in message
    build_model("simclr").backbone.save_pretrained(tmp_path / "native")
    code, message = hf_ssl(monkeypatch, capsys, "export", tmp_path / "native", tmp_path / "new")
    assert code == 2 and "no pretraining checkpoint" in message and not (tmp_path / "new").exists()


def test_methods_and_env(monkeypatch, capsys):
    for command, expected in (("methods", "arXiv:2104.14294"), ("env", "transformers")):
        monkeypatch.setattr(sys, "argv", ["hf-ssl", command])
        with pytest.raises(SystemExit) as exit_info:
            main()
        assert exit_info.value.code == 0 and expected in capsys.readouterr().out
