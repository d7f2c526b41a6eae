"""What comes after training: what is missing is done by a restart, and what fails does not take the run with it."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
from PIL import Image

from hf_ssl.cli.run_state import STAGES, read_state
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


@pytest.fixture(autouse=True, scope="module")
def one_picture():
    """In place of all, which take longer than the rest."""

    def draw(folder, *args):
        folder.mkdir(exist_ok=True)
        (folder / "views.png").write_bytes(b"picture")
        return [folder / "views.png"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hf_ssl.cli.finish.draw", draw)
        yield


def pretrain(monkeypatch, photos, folder, *more):
    arguments = ["--data", photos, "--output-dir", folder, "--image-size", 16, "--max_steps", 2, "--use_cpu"]
    return exit_code(monkeypatch, "pretrain", "simclr", *arguments, "--per_device_train_batch_size", 4, *more)


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory, one_picture):
    folder = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        assert pretrain(patch, photos, folder) == 0
    return folder


@pytest.fixture
def killed(whole, tmp_path):
    """Makes the folder of a run that was killed when so much was done."""

    def make(stage):
        run, done = tmp_path / "run", STAGES[: STAGES.index(stage) + 1]
        shutil.copytree(whole, run)
        state, results = read_state(run), json.loads((run / "results.json").read_text())
        state.done = {name: state.done[name] for name in done}
        state.write(run)
        if "exported" not in done:
            shutil.rmtree(run / "pretraining")
            for name in ("config.json", "model.safetensors", "preprocessor_config.json"):
                (run / name).unlink()
            del results["export"]
        if "evaluated" not in done:
            results["evaluation"] = None
        del results["embedding_check"]
        (run / "results.json").write_text(json.dumps(results))
        (run / "README.md").unlink()
        if "trained" not in done:
            (run / "results.json").unlink()
        (run / ".export-half").mkdir()
        return run

    return make


@pytest.fixture
def untrained(monkeypatch):
    """Not a step may be trained."""

    def step(*args, **kwargs):
        raise AssertionError("A step is trained.")

    monkeypatch.setattr(SSLTrainer, "training_step", step)


def made(folder):
    """All that a run leaves but checkpoints, without times."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and "checkpoints" not in path.parts):
        found[path.relative_to(folder).as_posix()] = path.read_bytes()
    results = json.loads(found.pop("results.json"))
    for name in ("seconds", "images_per_second", "command"):
        del results["run"][name]
    del found["run.json"], found["README.md"]  # with the times
    return found, results


def failing(name, error):
    def fail(*args, **kwargs):
        raise error

    patch = pytest.MonkeyPatch()
    patch.setattr(f"hf_ssl.{name}", fail)
    return patch


@pytest.mark.parametrize("stage", STAGES[:4])
def test_killed_after_the_last_step(stage, photos, whole, killed, untrained, monkeypatch):
    run = killed(stage)
    assert pretrain(monkeypatch, photos, run) == 0
    assert made(run) == made(whole)
    assert read_state(run).stage == "carded" and not [name for name in os.listdir(run) if name.startswith(".")]
    before, after = (json.loads((folder / "results.json").read_text())["run"] for folder in (whole, run))
    assert after["resumed_from"] == 0 and (after["seconds"] == before["seconds"] or stage == "training")
    assert after["images_per_second"] > 0
    assert pretrain(monkeypatch, photos, run) == 2  # finished


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("cli.finish.evaluate_encoder", "evaluation"),
        ("cli.finish.embedding_check", "check of the embedding"),
        ("cli.finish.draw", "set of pictures"),
        ("training.publication.write_card", "card"),
    ],
)
def test_what_fails_is_named_and_done_by_the_next_start(
    where, what, photos, whole, killed, untrained, monkeypatch, capsys
):
    run = killed("exported")
    patch = failing(where, RuntimeError("it\nfell over"))
    assert pretrain(monkeypatch, photos, run) == 0
    patch.undo()
    (sentence,) = [line for line in capsys.readouterr().err.splitlines() if "is missing" in line]
    assert f"The {what} is missing: RuntimeError: it fell over." in sentence
    assert "to try again: hf-ssl pretrain simclr --data" in sentence
    assert (run / "README.md").is_file() is (what != "card") and len(read_state(run).missing) == 1
    assert pretrain(monkeypatch, photos, run) == 0
    assert made(run) == made(whole) and not read_state(run).missing
    assert pretrain(monkeypatch, photos, run) == 2


def test_no_room_for_the_export(photos, whole, killed, untrained, monkeypatch, capsys):
    run = killed("trained")
    patch = failing("training.publication.export_pretrained", OSError(28, "No space left on device"))
    assert pretrain(monkeypatch, photos, run) == 2
    patch.undo()
    message = capsys.readouterr().err.splitlines()[-1]
    assert "trained, but not exported: No space left on device" in message and "hf-ssl pretrain simclr" in message
    assert pretrain(monkeypatch, photos, run) == 0 and made(run) == made(whole)


def test_images_that_are_gone_cost_the_evaluation_and_the_pictures(photos, killed, untrained, monkeypatch, capsys):
    run = killed("trained")
    patch = failing("cli.pretrain.load_data", ValueError("The images are gone."))
    assert pretrain(monkeypatch, photos, run) == 0
    patch.undo()
    assert capsys.readouterr().err.count("is missing: The images are gone.") == 2
    assert {"README.md", "model.safetensors"} <= {*os.listdir(run)} and read_state(run).stage == "carded"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_after_training(number, photos, killed, untrained, monkeypatch, capsys):
    run = killed("exported")
    monkeypatch.setattr("hf_ssl.cli.finish.evaluate_labelled", lambda *args: signal.raise_signal(number))
    assert pretrain(monkeypatch, photos, run) == 128 + number
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("hf-ssl: Interrupted while the encoder was evaluated. To go on: hf-ssl pretrain simclr")


def test_a_push_that_failed_is_tried_again(hub, photos, killed, untrained, monkeypatch, capsys):
    run, to = killed("evaluated"), ["--push_to_hub", "--hub_model_id"]
    hub.fail("POST .*/commit/", 503, "down")
    assert pretrain(monkeypatch, photos, run, *to, "me/one", "--hub_token", "hf_write") == 2
    assert "finished, but not published" in capsys.readouterr().err
    assert pretrain(monkeypatch, photos, run, *to, "me/one", "--hub_token", "hf_write") == 0
    assert "Published" in capsys.readouterr().out
    pushed = read_state(run).done["pushed"]
    assert pushed["repo_id"] == "me/one" and pushed["commit"] == hub.repo("me/one").branches["main"]
    assert pretrain(monkeypatch, photos, run, *to, "me/one") == 2 and "finished" in capsys.readouterr().err
    assert pretrain(monkeypatch, photos, run, *to, "me/two", "--hub_token", "hf_write") == 0  # and elsewhere
    assert b"me/two" in hub.repo("me/two").find("main").files["README.md"].content
