"""What a run may go on with in its folder, and what it must not touch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hf_ssl.cli.run_folder import RunFolder, held
from hf_ssl.cli.run_state import OLD_PLAN, RECORD, STAGES, read_state
from hf_ssl.hub.published_files import exported_hashes
from hf_ssl.hub.run_results import RESULTS

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
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({}, place / name)


def finish(folder, steps=100):
    (folder / RESULTS).write_text(json.dumps({"run": {"steps": steps}}))
    (folder / "README.md").write_text("card")
    state = read_state(folder)
    for stage in STAGES[1:-1]:
        state.did(stage, {})
    state.write(folder)


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
    assert (
        record["version"] == 2
        and record["state"] == "training"
        and record["method"] == "simclr"
        and record["config"] == {"temperature": "0.1"}
    )
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
    (folder / OLD_PLAN).write_text("{}")
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
    ],
    ids=str,
)
def test_damaged_files_are_named(name, text, said, run):
    (run / name).write_text(text)
    with pytest.raises(ValueError) as raised:
        RunFolder(run, asked()).begin(100)
    assert said in str(raised.value) and "\n" not in str(raised.value)


def test_a_damaged_checkpoint_is_passed_over(run):
    checkpoint(run, 60)
    (run / "checkpoints" / "checkpoint-60" / "optimizer.pt").write_bytes(b"")
    folder = RunFolder(run, asked())
    assert folder.last_checkpoint.name == "checkpoint-40" and folder.begin(100) is None
    assert len(folder.passed_over) == 1 and "checkpoint-60 is passed over" in folder.passed_over[0]


def test_a_run_of_version_1_is_known_by_its_results(tmp_path):
    """Its plan lies in a file of its own, and its results were written last."""
    folder = tmp_path / "run"
    folder.mkdir()
    record = {"version": 1, **{k: v for k, v in asked().items() if k not in ("output_dir", "overwrite")}}
    plan = {"recipe": "photos", "costs": None, "wanted_steps": 9, "eval_strategy": "no", "evaluated_images": 0}
    (folder / RECORD).write_text(json.dumps(record))
    (folder / OLD_PLAN).write_text(json.dumps(plan))
    checkpoint(folder, 100)
    killed = RunFolder(folder, asked())
    assert not killed.is_trained and killed.state.decided == plan
    (folder / RESULTS).write_text(json.dumps({"run": {"steps": 100}}))
    (folder / "README.md").write_text("card")
    with pytest.raises(ValueError, match="holds this run, finished"):
        RunFolder(folder, asked())
    published = RunFolder(folder, asked(training={"push_to_hub": True, "hub_model_id": "me/mine"}))
    assert published.is_trained and published.missing == ["pushed"]
    published.go_on()
    assert not (folder / OLD_PLAN).exists() and read_state(folder).decided == plan
    (folder / RECORD).write_text(json.dumps(record | {"continued_from": 100}))
    assert not RunFolder(folder, asked()).is_trained


@pytest.mark.parametrize(
    ("lost", "missing"),
    [
        ("model.safetensors", ["exported"]),
        ("README.md", ["carded"]),
        (RESULTS, ["trained", "evaluated", "carded"]),
    ],
)
def test_what_is_gone_is_missing_again(lost, missing, run):
    checkpoint(run, 100)
    (run / "pretraining").mkdir()
    (run / "model.safetensors").write_bytes(b"weights")
    finish(run)
    state = read_state(run)
    state.done["exported"] = {"model.safetensors": "0" * 64}
    state.write(run)
    assert RunFolder(run, asked()).missing == ["exported"]  # another content
    state.done["exported"] = exported_hashes(run)
    state.write(run)
    with pytest.raises(ValueError, match="finished"):
        RunFolder(run, asked())
    (run / lost).unlink()
    folder = RunFolder(run, asked())
    assert folder.missing == missing and folder.is_trained is ("trained" not in missing)


def test_what_failed_is_missing(run):
    checkpoint(run, 100)
    finish(run)
    state = read_state(run)
    state.missing["pictures"] = "The disk was full."
    state.write(run)
    folder = RunFolder(run, asked())
    assert folder.missing == ["carded"]
    folder.lacks("evaluated", "The images are gone.")
    assert read_state(run).missing == {"pictures": "The disk was full.", "evaluated": "The images are gone."}


def test_an_earlier_stage_that_is_done_otherwise_undoes_the_later_ones(run):
    finish(run)
    state = read_state(run)
    assert state.stage == "carded"
    state.did("evaluated", {})
    assert state.stage == "carded"
    state.did("exported", {"model.safetensors": "another"})
    assert state.stage == "exported" and "evaluated" not in state.done


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": "photos"},
        {"training": {"seed": 42}},
        {"training": {"weight_decay": 0.05}},
        {"training": {"per_device_train_batch_size": 64}},
        {"config": {"temperature": "0.10", "projection_sizes": "[8]"}},
        {"processor": {"blur": "[0.5]"}},
    ],
    ids=str,
)
def test_what_was_the_default_may_be_named(changes, run):
    plan = {"recipe": "photos", "image_size": 32, "training": {"weight_decay": 0.05, "base_learning_rate": 0.1}}
    plan["training"]["per_device_train_batch_size"] = 64
    last = run / "checkpoints" / "checkpoint-40"
    (last / "config.json").write_text(json.dumps({"temperature": 0.1, "projection_sizes": [8]}))
    (last / "preprocessor_config.json").write_text(json.dumps({"blur": [0.5]}))
    RunFolder(run, asked()).begin(100, plan)
    RunFolder(run, asked(**changes)).begin(100, plan)
    RunFolder(run, asked())


def test_another_name_for_a_quantity_of_the_recipe_is_another_run(tmp_path):
    """Here the default of learning_rate is not what it was: the recipe has base_learning_rate."""
    before = asked(training={"learning_rate": None})
    RunFolder(tmp_path / "run", before).begin(100, {"training": {"base_learning_rate": 0.1}})
    checkpoint(tmp_path / "run", 40)
    RunFolder(tmp_path / "run", before)
    with pytest.raises(ValueError, match="learning_rate was not set, now 5e-05"):
        RunFolder(tmp_path / "run", asked(training={"learning_rate": 5e-5}))


def test_what_a_killed_process_left_is_swept_up(run):
    for name in (".export-x1", "checkpoints/.saving-60", "checkpoints/.removing-40"):
        (run / name).mkdir()
        (run / name / "model.safetensors").write_bytes(b"half")
    for name in ("README.md.part", "run.json.part"):
        (run / name).write_bytes(b"half")
    RunFolder(run, asked()).begin(100)
    assert sorted(os.listdir(run)) == ["checkpoints", RECORD]
    assert os.listdir(run / "checkpoints") == ["checkpoint-40"]


HOLD = """
import sys, time
from pathlib import Path
from hf_ssl.cli.run_folder import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_run_that_is_under_way_is_left_alone(run, monkeypatch):
    before = contents(run)
    with subprocess.Popen([sys.executable, "-c", HOLD, run], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ValueError, match=f"is in use by process {process.pid} on "), held(run):
            pass
        monkeypatch.setenv("RANK", "1")
        with held(run):  # another process of the same run
            pass
        monkeypatch.undo()
        process.kill()
    assert {name: value for name, value in contents(run).items() if name.name != ".hf_ssl.lock"} == before
    with held(run):
        RunFolder(run, asked())
    assert contents(run) == before


def test_a_lock_leaves_no_trace(tmp_path):
    with pytest.raises(ZeroDivisionError), held(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b" / ".hf_ssl.lock").is_file()
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match="holds something else"), held(tmp_path):
        pass
    assert os.listdir(tmp_path) == ["thesis.tex"]
