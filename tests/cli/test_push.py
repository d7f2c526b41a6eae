"""`hf-ssl push`, and `hf-ssl pretrain --push_to_hub`: one commit, its address, one sentence for a mistake."""

import json
import sys

import pytest
from transformers import AutoModel

from hf_ssl.hub import build_card, export_pretrained
from hf_ssl.registry import METHODS

from ..conftest import build_model, build_processor
from ..data.pictures import bright_and_dark
from .test_errors import exit_code, hf_ssl


@pytest.fixture
def repository(tmp_path):
    model, processor = build_model("simclr").eval(), build_processor("simclr")
    card = build_card(METHODS["simclr"], model, processor, results=None, run=None, figures=[])
    return export_pretrained(model, processor, tmp_path / "repository", card)


def test_push(hub, repository, monkeypatch, capsys):
    options = ["--private", "--tag", "v1", "--message", "Mine", "--token", "hf_write"]
    assert exit_code(monkeypatch, "push", repository, "me/one", *options) == 0
    head = hub.repo("me/one").find("main")
    assert head.title == "Mine" and hub.repo("me/one").private and hub.repo("me/one").tags == {"v1": head.oid}
    assert f"Published {hub.url}/me/one/commit/{head.oid}\n" in capsys.readouterr().out
    assert exit_code(monkeypatch, "push", repository, "me/one") == 0
    assert f"Nothing changed: {hub.url}/me/one/commit/{head.oid}\n" in capsys.readouterr().out
    assert exit_code(monkeypatch, "push", repository, "me/one", "--revision", "work") == 0
    assert hub.repo("me/one").branches["work"] == head.oid


def test_mistakes(hub, repository, tmp_path, monkeypatch, capsys):
    assert exit_code(monkeypatch, "push", repository, "me/one") == 0
    (repository / "README.md").write_text((repository / "README.md").read_text() + "\nmore\n")
    hub.repo("me/one").tags["v1"] = hub.repo("me/one").branches["main"]
    for arguments, expected in {
        (tmp_path / "nowhere", "me/one"): "no file or folder",
        (tmp_path, "me/one"): "is no repository of hf_ssl, it lacks config.json",
        (repository, "me/one", "--tag", "v1"): "has the tag 'v1' already",
        (repository, "me/one", "--token", "hf_read"): "may not write to me/one",
        (repository, "one word"): "one word",
    }.items():
        capsys.readouterr()
        code, message = hf_ssl(monkeypatch, capsys, "push", *arguments)
        assert code == 2 and message.startswith("hf-ssl: ") and expected in message, message
    assert len(hub.repo("me/one").history("main")) == 2


@pytest.fixture
def photos(tmp_path):
    return bright_and_dark(tmp_path / "photos", 8)


def test_pretrain_publishes_the_finished_repository(hub, photos, repository, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    arguments = [
        *("pretrain", "simclr", "--data", photos, "--backbone", repository, "--output-dir", run, "--no-evaluate"),
        *("--max_steps", 2, "--per_device_train_batch_size", 8, "--use_cpu", "--save_strategy", "steps"),
        *("--save_steps", 1, "--image-size", 32, "--push_to_hub"),
    ]
    code, message = hf_ssl(monkeypatch, capsys, *arguments)
    assert code == 2 and "needs --hub_model_id" in message and not run.exists()
    code, message = hf_ssl(monkeypatch, capsys, *arguments, "--hub_model_id", "other/one")
    assert code == 2 and "may not write to other/one" in message and not run.exists()  # before any training
    hub.fail("POST .*/commit/", 503, "down")
    options = ["--hub_model_id", "me/one", "--hub_token", "hf_write", "--hub_private_repo", True]
    code, message = hf_ssl(monkeypatch, capsys, *arguments, *options)
    assert code == 2 and "finished, but not published" in message and f"hf-ssl push {run} me/one --private" in message
    assert len(hub.repo("me/one").history("main")) == 1
    said = "".join(capsys.readouterr()) + message
    assert exit_code(monkeypatch, "push", run, "me/one") == 0
    files = hub.repo("me/one").find("main").files
    assert len(hub.repo("me/one").history("main")) == 2
    assert {"config.json", "README.md", "results.json", "figures/views.png", "pretraining/config.json"} <= files.keys()
    assert not any("checkpoint" in path or path.endswith((".bin", ".pt", "run.json")) for path in files)
    assert json.loads(files["config.json"].content)["model_type"] == "vit"
    assert b"(figures/views.png)" in files["README.md"].content
    assert b'from_pretrained("me/one")' in files["README.md"].content
    assert not any(b"hf_write" in file.content for file in files.values())
    assert AutoModel.from_pretrained("me/one").config.model_type == "vit"
    written = [path for path in run.rglob("*") if path.is_file()]
    assert {"run.json", "results.json", "training_args.bin"} <= {path.name for path in written}
    assert not [path for path in written if b"hf_write" in path.read_bytes()]
    assert "hf_write" not in said and "hf_write" not in " ".join(sys.argv)
