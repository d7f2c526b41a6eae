"""A checkpoint is whole or is not there, and one that cannot be written is one sentence."""

import errno
import json
import os
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from transformers import TrainerCallback

from hf_ssl.files import FolderLock
from hf_ssl.training.checkpoints import (
    MANIFEST,
    fault,
    finish,
    newest_whole,
    read_manifest,
    remove,
    rotate,
    step_of,
    sweep,
)

from ..processes import in_processes
from .test_resume import build_trainer, images

SAVING = {"max_steps": 3, "save_strategy": "steps", "save_steps": 1, "save_total_limit": None, "online_knn": False}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A run of three steps with a checkpoint of each."""
    folder = tmp_path_factory.mktemp("saved")
    trainer = build_trainer("simclr", "vit", folder, **SAVING)
    trainer.train()
    return folder, trainer


@pytest.fixture
def run(saved, tmp_path):
    return Path(shutil.copytree(saved[0], tmp_path / "run"))


def cut(path):
    os.truncate(path, path.stat().st_size - 1)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def without_manifest(path, damage):
    (path.parent / MANIFEST).unlink()
    damage(path)


def test_the_manifest_names_every_file(saved):
    folder, trainer = saved
    checkpoint = folder / "checkpoint-3"
    manifest = read_manifest(checkpoint)
    assert {**manifest["files"]}.keys() == {path.name for path in checkpoint.iterdir()} - {MANIFEST}
    assert {"model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth"} <= manifest["files"].keys()
    facts = {name: manifest[name] for name in ("step", "processes", "global_batch_size", "images", "scheduled")}
    assert facts == {"step": 3, "processes": 1, "global_batch_size": 8, "images": 20, "scheduled": True}
    assert newest_whole(folder) == (checkpoint, [])
    assert trainer.state.global_step == 3 and not [path for path in folder.iterdir() if path.name.startswith(".sav")]


@pytest.mark.parametrize("kept", [True, False], ids=["manifest", "no manifest"])
@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"]
)
@pytest.mark.parametrize("damage", [Path.unlink, cut, flip])
def test_a_checkpoint_that_is_not_whole_is_passed_over(run, name, damage, kept):
    checkpoint = run / "checkpoint-3"
    if not kept:
        (checkpoint / MANIFEST).unlink()
        assert newest_whole(run) == (checkpoint, [])  # of an older hf_ssl, or a plain Trainer
        if damage is flip:
            return  # nothing says what it was
    if damage is cut and name.endswith(".json"):
        os.truncate(checkpoint / name, 100)
    else:
        damage(checkpoint / name)
    newest, sentences = newest_whole(run)
    assert newest == run / "checkpoint-2"
    (sentence,) = sentences
    assert sentence.startswith(f"{checkpoint} is passed over: ") and sentence.endswith(".")


@pytest.mark.parametrize(
    "manifest",
    ["", "[]", "{}", '{"version": 1, "files": {"a": 1}}', '{"version": 1, "files": {"../x": {}}}', "[" * 9999],
)
def test_a_manifest_that_is_none(run, manifest):
    (run / "checkpoint-3" / MANIFEST).write_text(manifest)
    assert newest_whole(run) == (
        run / "checkpoint-2",
        [f"{run / 'checkpoint-3'} is passed over: its manifest.json is damaged."],
    )


def test_nothing_there(tmp_path):
    assert newest_whole(tmp_path) == newest_whole(tmp_path / "absent") == (None, [])
    (tmp_path / "checkpoint-1").mkdir()
    (tmp_path / "checkpoint-7").write_text("a file")
    newest, (sentence,) = newest_whole(tmp_path)
    assert newest is None and "it lacks the weights" in sentence


def test_resuming(saved, run, caplog):
    """The newest whole one, or none; an explicit one that is not whole, or of another run, is refused."""
    flip(run / "checkpoint-3" / "optimizer.pt")
    (run / "checkpoint-3" / "model.safetensors").unlink()
    resumed = build_trainer("simclr", "vit", run, **SAVING)
    with pytest.raises(
        ValueError, match=r"cannot go on from .*checkpoint-3: it lacks .*; go on from .*checkpoint-2\.$"
    ):
        resumed.train(resume_from_checkpoint=str(run / "checkpoint-3"))
    with pytest.raises(ValueError, match="there is no such folder; there is no whole one beside it"):
        resumed.train(resume_from_checkpoint=str(run / "absent" / "checkpoint-3"))
    resumed.train(resume_from_checkpoint=True)
    assert "checkpoint-3 is passed over: it lacks" in caplog.text
    state = saved[1].model.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in resumed.model.state_dict().items())
    assert newest_whole(run) == (run / "checkpoint-3", [])  # replaced

    other = build_trainer("simclr", "vit", run, **SAVING | {"gradient_accumulation_steps": 1})
    with pytest.raises(ValueError, match="global batch size = 8, and now it would be 4"):
        other.train(resume_from_checkpoint=True)
    (run / "checkpoint-3" / "rng_state.pth").rename(run / "checkpoint-3" / "rng_state_0.pth")
    (run / "checkpoint-3" / "rng_state_1.pth").write_bytes((run / "checkpoint-3" / "rng_state_0.pth").read_bytes())
    (run / "checkpoint-3" / MANIFEST).unlink()
    with pytest.raises(ValueError, match="was saved by 2 processes, and now there would be 1"):
        resumed.train(resume_from_checkpoint=True)


def make(folder, step, scheduled=True):
    aside = folder / f".saving-{step}"
    aside.mkdir()
    (aside / "part").write_text(str(step))
    checkpoint = folder / f"checkpoint-{step}"
    finish(aside, checkpoint, {"scheduled": scheduled})
    return checkpoint


@pytest.mark.parametrize(
    ("limit", "best", "kept"),
    [(None, None, [10, 20, 30, 50]), (2, None, [30, 50]), (1, None, [50]), (1, 20, [20, 50]), (3, 10, [10, 30, 50])],
)
def test_rotation(tmp_path, limit, best, kept):
    """Of those that nobody asked for none but the newest stays, and of the rest the newest and the best."""
    for step in (10, 20, 30):
        make(tmp_path, step)
    make(tmp_path, 40, scheduled=False)
    newest = make(tmp_path, 50, scheduled=False)
    rotate(newest, tmp_path / f"checkpoint-{best}" if best else None, limit)
    assert sorted(map(step_of, tmp_path.glob("checkpoint-*"))) == kept
    assert {path.name for path in tmp_path.iterdir()} == {f"checkpoint-{step}" for step in kept}


def test_rotation_begins_with_what_was_left_behind(tmp_path):
    for step in (10, 40):
        make(tmp_path, step)
    rotate(make(tmp_path, 20), None, 2)
    assert sorted(map(step_of, tmp_path.glob("checkpoint-*"))) == [10, 20]


def test_what_is_half_removed_has_another_name(tmp_path, monkeypatch):
    checkpoint = make(tmp_path, 10)
    monkeypatch.setattr(shutil, "rmtree", lambda *args, **kwargs: None)  # killed here
    remove(checkpoint)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == [".removing-10"]
    (tmp_path / ".saving-20").mkdir()
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


@contextmanager
def file_limit(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class At(TrainerCallback):
    """Do something before a step begins."""

    def __init__(self, step, action):
        self.step, self.action = step, action

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            self.action()


@pytest.mark.parametrize(
    ("part", "error", "reason"),
    [
        ("_save", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device"),
        ("_save", SafetensorError("I/O error: Disk quota exceeded (os error 122)"), "Disk quota exceeded"),
        (
            "_save_optimizer_and_scheduler",
            RuntimeError("PytorchStreamWriter failed writing file"),
            "PytorchStreamWriter",
        ),
        ("_save_rng_state", OSError(errno.EIO, os.strerror(errno.EIO), "x.pth"), "Input/output error"),
    ],
)
def test_a_checkpoint_that_cannot_be_written(run, monkeypatch, part, error, reason):
    def fail(*args, **kwargs):
        raise error

    shutil.rmtree(run / "checkpoint-3")
    trainer = build_trainer("simclr", "vit", run, **SAVING)
    monkeypatch.setattr(trainer, part, fail)
    with pytest.raises(OSError, match=f"checkpoint-3 could not be written: {reason}.*checkpoint-2 is intact") as info:
        trainer.train(resume_from_checkpoint=True)
    assert "\n" not in str(info.value)
    assert newest_whole(run) == (run / "checkpoint-2", []) and not list(run.glob(".saving-*"))


@pytest.mark.parametrize("limit", [2**13, 2**15, 2**18])
def test_a_file_size_limit(saved, tmp_path, limit):
    """Whatever library meets it; and the same goes on once it is gone."""
    trainer = build_trainer("simclr", "vit", tmp_path, **SAVING)
    with file_limit(limit), pytest.raises(OSError, match="checkpoint-1 could not be written: File too large.* MB"):
        trainer.train()
    assert newest_whole(tmp_path) == (None, []) and not list(tmp_path.glob(".saving-*"))
    again = build_trainer("simclr", "vit", tmp_path, **SAVING)
    again.train(resume_from_checkpoint=True)
    state = saved[1].model.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in again.model.state_dict().items())


def test_a_folder_that_vanishes_is_made_again(tmp_path):
    folder = tmp_path / "run"
    trainer = build_trainer("simclr", "vit", folder, callbacks=[At(1, lambda: shutil.rmtree(folder))], **SAVING)
    trainer.train()
    assert newest_whole(folder) == (folder / "checkpoint-3", [])


def test_another_process_in_the_folder(tmp_path, monkeypatch):
    class Held(FolderLock):
        def __init__(self, folder):
            raise ValueError(f"{folder} is in use by process 1 on here.")

    monkeypatch.setattr("hf_ssl.training.saving.FolderLock", Held)
    with pytest.raises(ValueError, match="is in use by process 1"):
        build_trainer("simclr", "vit", tmp_path, **SAVING).train()


def test_the_best_checkpoint_is_found_and_kept(tmp_path):
    arguments = SAVING | {"eval_strategy": "steps", "eval_steps": 1, "load_best_model_at_end": True}
    arguments |= {"metric_for_best_model": "loss", "save_total_limit": 1}
    trainer = build_trainer("simclr", "vit", tmp_path, eval_dataset=images(), **arguments)
    trainer.train()
    best = Path(trainer.state.best_model_checkpoint)
    assert best == tmp_path / f"checkpoint-{trainer.state.best_global_step}" and fault(best) is None
    state = json.loads((best / "trainer_state.json").read_text())
    assert state["best_model_checkpoint"] == str(best)


def test_only_the_model(tmp_path):
    """Training cannot go on from such a checkpoint, which is said."""
    trainer = build_trainer("simclr", "vit", tmp_path, **SAVING | {"max_steps": 1, "save_only_model": True})
    trainer.train()
    assert read_manifest(tmp_path / "checkpoint-1") and not list(tmp_path.rglob("optimizer*"))
    assert newest_whole(tmp_path)[1] == [
        f"{tmp_path / 'checkpoint-1'} is passed over: it lacks the state of the optimizer."
    ]


def _in_two_processes(rank, world, folder):
    """What every process says when one cannot write, and whether both go on afterwards."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29500", LOCAL_WORLD_SIZE=str(world))
    arguments = SAVING | {"per_device_train_batch_size": 2}
    trainer = build_trainer("simclr", "vit", folder, **arguments)
    save = trainer._save_rng_state

    def fail(*args):
        if rank == 1 and trainer.state.global_step == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(*args)

    trainer._save_rng_state = fail
    said = ""
    try:
        trainer.train()
    except OSError as error:
        said = str(error)
    trainer._save_rng_state = save
    trainer.train(resume_from_checkpoint=True)
    files = sorted(path.name for path in Path(folder, "checkpoint-3").glob("rng_state*"))
    return said, trainer.state.global_step, files, newest_whole(Path(folder))[0].name


def test_two_processes(tmp_path):
    for said, step, files, newest in in_processes(_in_two_processes, str(tmp_path)):
        assert (
            "checkpoint-2 could not be written: No space left on device" in said and "checkpoint-1 is intact" in said
        )
        assert step == 3 and files == ["rng_state_0.pth", "rng_state_1.pth"] and newest == "checkpoint-3"
