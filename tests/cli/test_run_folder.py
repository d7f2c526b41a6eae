"""What a run may go on with in its folder, and what it must not touch."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hf_ssl.cli.run_folder import RECORD, RESULTS, RunFolder

ASKED = {
    "method": "simclr",
    "data": "photo-patches",
    "backbone": None,
    "output_dir": Path("run"),
    "recipe": None,
    "image_size": 32,
    "minutes": None,
    "config": {"temperature": "0.1"},
    "processor": {},
    "label_column": None,
    "max_unreadable": None,
    "overwrite": False,
    "evaluate": True,
    "training": {"learning_rate": 0.001, "num_train_epochs": 10, "hub_token": "hf_secret"},
}


def asked(**changes):
    training = ASKED["training"] | changes.pop("training", {})
    return {**ASKED, **changes, "training": {k: v for k, v in training.items() if v is not None}}


def checkpoint(folder, step, planned=100):
    place = folder / "checkpoints" / f"checkpoint-{step}"
    place.mkdir(parents=True)
    (place / "trainer_state.json").write_text(json.dumps({"global_step": step, "max_steps": planned}))
    save_file({"weight": torch.zeros(1)}, place / "model.safetensors")
    torch.save({}, place / "optimizer.pt")


def finish(folder, steps=100):
    (folder / RESULTS).write_text(json.dumps({"run": {"steps": steps}}))


@pytest.fixture
def run(tmp_path):
    """The folder of a run that was killed at step 40 of 100."""
    folder = tmp_path / "run"
    assert RunFolder(folder, asked()).begin(100) is None
    checkpoint(folder, 40)
    return folder


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_was_asked_is_written_without_tokens(run):
    record = json.loads((run / RECORD).read_text())
    assert record["version"] == 1 and record["method"] == "simclr" and record["config"] == {"temperature": "0.1"}
    assert record["training"] == {"learning_rate": 0.001, "num_train_epochs": 10}
    assert "hf_secret" not in (run / RECORD).read_text()


def test_nothing_is_touched_before_a_run_begins(tmp_path):
    RunFolder(tmp_path / "run", asked())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"output_dir": Path("elsewhere/../run")},
        {"evaluate": False},
        {"max_unreadable": 0.5},
        {"label_level": None},
        *(
            {"training": {name: value}}
            for name, value in {
                "dataloader_num_workers": 4,
                "dataloader_persistent_workers": True,
                "logging_steps": 1,
                "logging_dir": "logs",
                "report_to": "tensorboard",
                "run_name": "second",
                "save_steps": 5,
                "save_total_limit": 1,
                "eval_strategy": "epoch",
                "per_device_eval_batch_size": 7,
                "online_knn": False,
                "push_to_hub": True,
                "hub_model_id": "me/mine",
                "hub_token": "another",
                "views_on_device": True,
                "use_cpu": True,
                "disable_tqdm": True,
                "torch_compile": True,
                "activation_checkpointing": True,
            }.items()
        ),
    ],
    ids=str,
)
def test_what_may_be_another_on_a_restart(changes, run):
    folder = RunFolder(run, asked(**changes))
    assert folder.last_checkpoint == run / "checkpoints" / "checkpoint-40"
    assert folder.begin(100) is None
    RunFolder(run, asked())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method": "mae"}, "holds a run of simclr, not of mae"),
        ({"data": "fashion-mnist"}, 'data was "photo-patches", now "fashion-mnist"'),
        ({"image_size": 64}, "image_size was 32, now 64"),
        ({"recipe": "paper"}, 'recipe was not set, now "paper"'),
        ({"config": {"temperature": "0.2"}}, 'config temperature was "0.1", now "0.2"'),
        ({"config": {}}, 'config temperature was "0.1", now not set'),
        ({"processor": {"view_size": "16"}}, 'processor view_size was not set, now "16"'),
        ({"training": {"learning_rate": 0.0005}}, "learning_rate was 0.001, now 0.0005"),
        ({"training": {"learning_rate": None}}, "learning_rate was 0.001, now not set"),
        ({"training": {"seed": 1}}, "seed was not set, now 1"),
        ({"training": {"per_device_train_batch_size": 8}}, "per_device_train_batch_size was not set, now 8"),
        ({"training": {"bf16": True, "seed": 1}}, "bf16 was not set, now true; seed was not set, now 1"),
    ],
    ids=str,
)
def test_what_changes_the_result_is_named_with_both_values(changes, said, run):
    before = contents(run)
    with pytest.raises(ValueError) as raised:
        RunFolder(run, asked(**changes))
    assert said in str(raised.value) and "--overwrite" in str(raised.value) and "\n" not in str(raised.value)
    assert contents(run) == before


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("length", [{"num_train_epochs": 20}, {"num_train_epochs": None, "max_steps": 200}], ids=str)
def test_more_epochs_go_on_and_fewer_are_refused(length, finished, run):
    done = 40
    if finished:
        done = 100
        checkpoint(run, 100)
        finish(run)
    longer = RunFolder(run, asked(training=length))
    assert f"from step {done} to step 200 in place of 100" in longer.begin(200)
    # Killed and started again, it goes on; finished at last, it does not.
    again = RunFolder(run, asked(training=length))
    assert again.last_checkpoint.name == f"checkpoint-{done}"
    checkpoint(run, 200, planned=200)
    finish(run, 200)
    with pytest.raises(ValueError, match="holds this run, finished: ask for more with --num_train_epochs"):
        RunFolder(run, asked(training=length))


def test_a_shorter_run_is_refused_and_changes_nothing(run):
    before = contents(run)
    with pytest.raises(ValueError, match="a run of 100 steps, of which 40 are done, and now there would be 50"):
        RunFolder(run, asked(training={"num_train_epochs": 5})).begin(50)
    assert contents(run) == before


def test_a_finished_run_of_the_same_length_by_another_name(run):
    checkpoint(run, 100)
    finish(run)
    with pytest.raises(ValueError, match="holds this run, finished"):
        RunFolder(run, asked())
    other = RunFolder(run, asked(training={"num_train_epochs": None, "max_steps": 100}))
    with pytest.raises(ValueError, match="holds this run, finished"):
        other.begin(100)


def test_a_finished_run_without_checkpoints_cannot_go_on(tmp_path):
    RunFolder(tmp_path / "run", asked()).begin(100)
    finish(tmp_path / "run")
    with pytest.raises(ValueError, match="finished: choose another --output-dir, or start again with --overwrite"):
        RunFolder(tmp_path / "run", asked(training={"num_train_epochs": 20}))


def test_one_folder_of_images_in_several_spellings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("small").mkdir()
    RunFolder(tmp_path / "run", asked(data="./small")).begin(100)
    checkpoint(tmp_path / "run", 40)
    for spelling in ("small", "small/", str(tmp_path / "small"), "~/small", "../" + tmp_path.name + "/small"):
        RunFolder(tmp_path / "run", asked(data=spelling))
        RunFolder(Path("run"), asked(data=spelling))
    with pytest.raises(ValueError, match="data was"):
        RunFolder(tmp_path / "run", asked(data="photo-patches"))


def test_a_run_of_an_earlier_version_does_not_go_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("small").mkdir()
    checkpoint(tmp_path / "run", 40)
    old = {"method": "simclr", "data": "./small", "backbone": None, "recipe": None, "image_size": 32}
    old |= {"config": {"temperature": "0.1"}, "processor": {}, "training": {"learning_rate": 0.001}}
    (tmp_path / "run" / RECORD).write_text(json.dumps(old))
    with pytest.raises(ValueError, match="an older hf_ssl began, with other defaults: .* with --overwrite"):
        RunFolder(tmp_path / "run", asked(data="small"))  # it would go on with another split and another encoder


def test_a_folder_without_a_checkpoint_is_taken_over(tmp_path):
    folder = tmp_path / "run"
    RunFolder(folder, asked()).begin(100)
    (folder / "checkpoints").mkdir()
    (folder / "plan.json").write_text("{}")
    (folder / ".DS_Store").write_bytes(b"")
    other = RunFolder(folder, asked(method="mae", training={"learning_rate": 0.1}))
    assert other.last_checkpoint is None and other.begin(7) is None
    assert json.loads((folder / RECORD).read_text())["method"] == "mae"
    (folder / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match="holds something else, thesis.tex"):
        RunFolder(folder, asked())


def test_folders_that_are_no_run(tmp_path):
    (tmp_path / "empty" / "checkpoints").mkdir(parents=True)
    RunFolder(tmp_path / "empty", asked()).begin(10)
    (tmp_path / "taken").mkdir()
    for name in ("thesis.tex", "notes.txt"):
        (tmp_path / "taken" / name).write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="holds something else, notes.txt and 1 more: choose an empty or new"):
            RunFolder(tmp_path / "taken", asked(), overwrite)
    with pytest.raises(ValueError, match="is a file: name a folder"):
        RunFolder(tmp_path / "taken" / "thesis.tex", asked())


def test_overwriting_waits_for_the_run_to_begin_and_spares_other_files(run):
    checkpoint(run, 100)
    finish(run)
    (run / "notes.txt").write_text("mine")
    before = contents(run)
    new = RunFolder(run, asked(method="mae"), overwrite=True)
    assert contents(run) == before and new.last_checkpoint is None
    assert new.begin(10) is None
    assert sorted(os.listdir(run)) == ["notes.txt", RECORD]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (RECORD, "{", "run.json is no JSON"),
        (RECORD, "[]", "run.json is not what a run writes"),
        (RECORD, '{"method": "simclr"}', "run.json is not what a run writes"),
        (RECORD, '{"version": 99, "method": "simclr", "training": {}}', "written by a newer hf_ssl"),
        (RESULTS, "{", "results.json is not what a run writes"),
        ("checkpoints/checkpoint-40/trainer_state.json", "{", "checkpoint-40 is damaged: remove it"),
    ],
    ids=str,
)
def test_damaged_files_are_named(name, text, said, run):
    (run / name).write_text(text)
    with pytest.raises(ValueError) as raised:
        RunFolder(run, asked()).begin(100)
    assert said in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "trainer_state.json"])
@pytest.mark.parametrize("content", [None, b"", b"{"], ids=str)
def test_a_damaged_checkpoint_is_named(name, content, run):
    path = run / "checkpoints" / "checkpoint-40" / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ValueError, match="checkpoint-40.* is damaged: remove it, and the run goes on from"):
        RunFolder(run, asked()).begin(100)
