"""What goes wrong with `hf-ssl convert` ends in one sentence, exit code 2, and nothing written."""

import torch

from hf_ssl.registry import Method

from ..methods.official.barlow_twins import barlow_twins
from ..methods.official.simsiam import simsiam
from .test_errors import hf_ssl


def test_mistakes(tmp_path, monkeypatch, capsys):
    file, out = tmp_path / "file.pth", tmp_path / "out"
    torch.save(barlow_twins().checkpoint, file)
    torch.save(simsiam().checkpoint, tmp_path / "simsiam.pth")
    (tmp_path / "notes.txt").write_text("no weights")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").write_text("mine")
    cases = {
        "method": (["barlow_twin", file, out], "'barlow_twin'. Did you mean 'barlow_twins'?"),
        "no file": (["barlow_twins", tmp_path / "nowhere.pth", out], "nowhere.pth"),
        "folder": (["barlow_twins", tmp_path, out], "is a folder"),
        "text": (["barlow_twins", tmp_path / "notes.txt", out], "cannot be read as a checkpoint"),
        "other method": (
            ["barlow_twins", tmp_path / "simsiam.pth", out],
            "simsiam.pth is no checkpoint of Barlow Twins: there are no tensors",
        ),
        "taken": (["barlow_twins", file, tmp_path / "taken"], "taken is not an empty folder"),
        "output is a file": (["barlow_twins", file, file], "file.pth is not an empty folder"),
    }
    for name, (arguments, expected) in cases.items():
        code, message = hf_ssl(monkeypatch, capsys, "convert", *arguments)
        assert code == 2 and expected in message, (name, message)
        assert "Traceback" not in message and not out.exists(), name
    assert [p.name for p in (tmp_path / "taken").iterdir()] == ["thesis.tex"]


def test_a_method_without_a_release(tmp_path, monkeypatch, capsys):
    release = Method.convert.fget
    monkeypatch.setattr(Method, "convert", property(lambda self: None if self.name == "dino" else release(self)))
    code, message = hf_ssl(monkeypatch, capsys, "convert", "dino", tmp_path / "x.pth", tmp_path / "out")
    assert code == 2 and "no public checkpoint of DINO" in message and "moco_v2" in message
