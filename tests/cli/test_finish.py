"""What comes after training: what is missing is done by a restart, and what fails does not take the run with it."""

import json
import os
import signal

import numpy as np
import pytest
from PIL import Image

from hf_ssl.training import SSLTrainer

from .test_errors import exit_code


class Killed(BaseException):
    """SIGKILL, for a process that has to live on."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "photos"
    generator = np.random.default_rng(0)
    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
        for i in range(8):
            Image.fromarray(generator.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(folder / label / f"{i}.png")
    return folder


@pytest.fixture
def steps(monkeypatch):
    """One entry for every step that is trained."""
    taken, step = [], SSLTrainer.training_step

    def counted(self, *args, **kwargs):
        taken.append(1)
        return step(self, *args, **kwargs)

    monkeypatch.setattr(SSLTrainer, "training_step", counted)
    return taken


def pretrain(monkeypatch, photos, folder, *more):
    arguments = [
        "--data",
        photos,
        "--output-dir",
        folder,
        "--image-size",
        16,
        "--max_steps",
        2,
        "--use_cpu",
        "--logging_steps",
        1,
    ]
    return exit_code(monkeypatch, "pretrain", "simclr", *arguments, "--per_device_train_batch_size", 4, *more)


def once(monkeypatch, name, error):
    """Have a function of what comes after training raise `error` in the run that follows."""

    def fail(*args, **kwargs):
        raise error

    patch = pytest.MonkeyPatch()
    patch.setattr(name, fail)
    return patch


def made(folder):
    """All that a run leaves but checkpoints, without times."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and "checkpoints" not in path.parts):
        found[path.relative_to(folder).as_posix()] = path.read_bytes()
    results = json.loads(found.pop("results.json"))
    for name in ("seconds", "images_per_second", "command"):
        del results["run"][name]
    for entry in results["log"]:
        for name in [name for name in entry if name.endswith(("runtime", "per_second"))]:
            del entry[name]
    del found["run.json"], found["README.md"]  # with the times
    return found, results


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        assert pretrain(patch, photos, folder) == 0
    return folder


@pytest.mark.parametrize(
    ("where", "state"),
    [
        ("pretrain.write_json", "training"),
        ("finish.export_pretrained", "trained"),
        ("finish.exported_hashes", "trained"),
        ("finish.evaluate_labelled", "exported"),
        ("finish.draw", "evaluated"),
        ("finish.write_text", "evaluated"),
    ],
)
def test_killed_after_the_last_step(where, state, photos, whole, steps, tmp_path, monkeypatch):
    run = tmp_path / "run"
    patch = once(monkeypatch, f"hf_ssl.cli.{where}", Killed())
    with pytest.raises(Killed):
        pretrain(monkeypatch, photos, run)
    patch.undo()
    assert json.loads((run / "run.json").read_text())["state"] == state
    (run / ".export-half").mkdir()
    del steps[:]
    assert pretrain(monkeypatch, photos, run) == 0
    assert steps == [] and made(run) == made(whole)
    assert json.loads((run / "run.json").read_text())["state"] == "carded"
    trained = json.loads((run / "results.json").read_text())["run"]
    assert trained["resumed_from"] == 0 and trained["images_per_second"] > 0
    assert not [name for name in os.listdir(run) if name.startswith(".")]
    assert pretrain(monkeypatch, photos, run) == 2


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("finish.evaluate_encoder", "The evaluation is missing: RuntimeError: the linear probe fell over."),
        ("finish.embedding_check", "The check of the embedding is missing: "),
        ("finish.draw", "The set of pictures is missing: "),
        ("finish.build_card", "The card is missing: "),
    ],
)
def test_what_fails_is_named_and_done_by_the_next_start(
    where, said, photos, whole, steps, tmp_path, monkeypatch, capsys
):
    run = tmp_path / "run"
    patch = once(monkeypatch, f"hf_ssl.cli.{where}", RuntimeError("the linear probe\nfell over"))
    assert pretrain(monkeypatch, photos, run) == 0
    patch.undo()
    (sentence,) = [line for line in capsys.readouterr().err.splitlines() if "is missing" in line]
    assert said in sentence and "to try again: hf-ssl pretrain simclr --data" in sentence
    assert (run / "model.safetensors").is_file() and (run / "results.json").is_file()
    assert json.loads((run / "run.json").read_text())["missing"]
    del steps[:]
    assert pretrain(monkeypatch, photos, run) == 0
    assert steps == [] and made(run) == made(whole)
    assert json.loads((run / "run.json").read_text())["missing"] == {}
    assert pretrain(monkeypatch, photos, run) == 2


def test_no_room_for_the_export(photos, whole, steps, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    patch = once(monkeypatch, "hf_ssl.cli.finish.export_pretrained", OSError(28, "No space left on device"))
    assert pretrain(monkeypatch, photos, run) == 2
    patch.undo()
    message = capsys.readouterr().err.splitlines()[-1]
    assert "trained, but not exported: No space left on device" in message and "hf-ssl pretrain simclr" in message
    del steps[:]
    assert pretrain(monkeypatch, photos, run) == 0
    assert steps == [] and made(run) == made(whole)


def test_images_that_are_gone_cost_the_evaluation_only(photos, whole, tmp_path, monkeypatch, capsys):
    mine, run = tmp_path / "photos", tmp_path / "run"
    mine.symlink_to(photos)
    patch = once(monkeypatch, "hf_ssl.cli.finish.export_pretrained", Killed())
    with pytest.raises(Killed):
        pretrain(monkeypatch, mine, run)
    patch.undo()
    patch = once(monkeypatch, "hf_ssl.cli.pretrain.load_data", ValueError("The images are gone."))
    assert pretrain(monkeypatch, mine, run) == 0
    patch.undo()
    messages = capsys.readouterr().err
    assert messages.count("is missing: The images are gone.") == 2 and (run / "README.md").is_file()
    assert pretrain(monkeypatch, mine, run) == 0 and made(run)[0] == made(whole)[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_after_training(number, photos, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    monkeypatch.setattr("hf_ssl.cli.finish.evaluate_labelled", lambda *args: signal.raise_signal(number))
    assert pretrain(monkeypatch, photos, run, "--overwrite") == 128 + number
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("hf-ssl: Interrupted while the encoder was evaluated. To go on: hf-ssl pretrain simclr")
    assert "--overwrite" not in message and (run / "model.safetensors").is_file()


def test_a_push_that_failed_is_tried_again(hub, photos, steps, tmp_path, monkeypatch, capsys):
    run, to = tmp_path / "run", ["--push_to_hub", "--hub_model_id", "me/one", "--no-evaluate"]
    hub.fail("POST .*/commit/", 503, "down")
    assert pretrain(monkeypatch, photos, run, *to, "--hub_token", "hf_write") == 2
    assert "finished, but not published" in capsys.readouterr().err
    del steps[:]
    assert pretrain(monkeypatch, photos, run, *to, "--hub_token", "hf_write") == 0
    assert steps == [] and "Published" in capsys.readouterr().out
    pushed = json.loads((run / "run.json").read_text())["done"]["pushed"]
    assert pushed["repo_id"] == "me/one" and pushed["commit"] == hub.repo("me/one").branches["main"]
    assert pretrain(monkeypatch, photos, run, *to) == 2 and "finished" in capsys.readouterr().err
    assert pretrain(monkeypatch, photos, run, *to[:2], "me/two", *to[3:]) == 0  # and elsewhere
    card = hub.repo("me/two").find("main").files["README.md"]
    assert steps == [] and b"me/two" in (card if isinstance(card, bytes) else card.content)
