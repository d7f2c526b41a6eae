"""A signal at any moment loses no step and repeats none; a clock changes nothing."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from transformers import TrainerCallback

from hf_ssl.training.checkpoints import newest_whole, read_manifest, step_of
from hf_ssl.utils.stopping import CaughtSignals, InWorker, Stopped

from ..processes import in_processes
from .test_resume import build_trainer, images

# Two epochs of three steps, two batches each; evaluated when an epoch ends, and logged in the middle of one.
ARGUMENTS = {"eval_strategy": "epoch", "online_knn": False, "logging_steps": 4}


class Signal(TrainerCallback):
    """Send this process a signal at an event of the trainer."""

    def __init__(self, event, step, number=signal.SIGTERM):
        self.event, self.step, self.number = event, step, number

    def _send(self, event, state):
        if event == self.event and state.global_step == self.step:
            self.event = None
            os.kill(os.getpid(), self.number)


def _sender(event):
    """The method of a callback for this event."""
    return lambda self, args, state, control, **kwargs: self._send(event, state)


EVENTS = "train begin, epoch begin, step begin, optimizer step, step end, save, evaluate, epoch end, train end"
for _event in EVENTS.split(", "):
    setattr(Signal, "on_" + _event.replace(" ", "_"), _sender(_event))


def build(folder, *callbacks, **arguments):
    return build_trainer("dino", "vit", folder, list(callbacks), images(8), **ARGUMENTS | arguments)


def state_of(trainer):
    logs = [
        {name: value for name, value in entry.items() if "runtime" not in name and "per_second" not in name}
        for entry in trainer.state.log_history
        if "train_runtime" not in entry
    ]
    return trainer.model.state_dict(), trainer.optimizer.state_dict()["state"], logs


def assert_equal(first, second):
    for old, new in zip(first[:1], second[:1], strict=True):
        assert [name for name in old if not torch.equal(old[name], new[name])] == []
    for index, moments in first[1].items():
        for name, value in moments.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(second[1][index][name]))
    assert first[2] == second[2] and [entry["step"] for entry in first[2]] == [3, 4, 6]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    trainer = build(tmp_path_factory.mktemp("whole"))
    trainer.train()
    assert trainer.state.global_step == 6 and "embedding_rank" in trainer.state.log_history[1]
    return state_of(trainer)


@pytest.mark.parametrize(
    ("event", "step", "saved"),
    [
        ("train begin", 0, None),
        ("step begin", 0, None),  # nothing is trained yet
        ("optimizer step", 0, 1),
        ("step begin", 1, 2),
        ("step end", 2, 2),
        ("optimizer step", 2, 3),  # the last step of an epoch: saved after its evaluation
        ("epoch end", 3, 3),
        ("evaluate", 3, 4),
        ("epoch begin", 3, 4),
        ("save", 4, 5),
        ("optimizer step", 5, 6),
        ("evaluate", 6, 6),
        ("train end", 6, 6),
    ],
)
def test_a_signal_at_any_moment(tmp_path, uninterrupted, event, step, saved):
    before = signal.getsignal(signal.SIGTERM)
    saving = {"save_strategy": "steps", "save_steps": 4} if event == "save" else {}
    trainer = build(tmp_path, Signal(event, step), **saving)
    with pytest.raises(Stopped) as info:
        trainer.train()
    assert info.value.signum == signal.SIGTERM and signal.getsignal(signal.SIGTERM) == before
    checkpoint, _ = newest_whole(tmp_path)
    if saved is None:
        assert checkpoint is None and str(info.value) == "Stopped by SIGTERM before the first step."
    else:
        assert step_of(checkpoint) == saved
        assert str(info.value) == f"Stopped by SIGTERM at step {saved} of 6, saved in {checkpoint}."
    resumed = build(tmp_path)
    resumed.train(resume_from_checkpoint=True)
    if saved == 6:  # taken over as it is
        assert all(torch.equal(tensor, uninterrupted[0][n]) for n, tensor in resumed.model.state_dict().items())
    else:
        assert_equal(uninterrupted, state_of(resumed))


def test_a_signal_before_the_first_step_of_a_resumed_run(tmp_path, uninterrupted):
    with pytest.raises(Stopped):
        build(tmp_path, Signal("step begin", 1)).train()
    with pytest.raises(Stopped, match="before the first step"):
        build(tmp_path, Signal("epoch begin", 2)).train(resume_from_checkpoint=True)
    assert step_of(newest_whole(tmp_path)[0]) == 2


def test_a_clock_saves_and_changes_nothing(tmp_path, uninterrupted):
    """Whatever the schedule; what the clock asked for goes when the next one is there."""
    trainer = build(tmp_path, save_strategy="epoch", save_minutes=1e-9)
    kept = []

    class Kept(TrainerCallback):
        def on_save(self, args, state, control, **kwargs):
            kept.append([(step_of(path), read_manifest(path)["scheduled"]) for path in sorted(tmp_path.glob("che*"))])

    trainer.add_callback(Kept())
    trainer.train()
    assert_equal(uninterrupted, state_of(trainer))
    a, b, c, d, e, f = [(step, step % 3 == 0) for step in range(1, 7)]
    assert kept == [[a], [b], [c], [c, d], [c, e], [c, f]]


@pytest.mark.parametrize("arguments", [{"save_strategy": "epoch", "save_minutes": 0}, {"save_minutes": 1e-9}])
def test_no_clock(tmp_path, arguments):
    """Neither with 0 minutes nor with save_strategy="no"."""
    build(tmp_path, **arguments).train()
    assert (
        sorted(map(step_of, tmp_path.glob("checkpoint-*"))) == ([6, 3] if "save_strategy" in arguments else [])[::-1]
    )


def test_data_that_vanish(tmp_path, uninterrupted, monkeypatch):
    """What is trained is saved before the error goes on."""
    trainer = build(tmp_path)
    kind = type(trainer.train_dataset)
    fetch, failing = kind.__getitems__, [False]

    def gone(self, indices):
        if failing[0]:
            raise FileNotFoundError("gone")
        return fetch(self, indices)

    monkeypatch.setattr(kind, "__getitems__", gone)

    class Vanish(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            failing[0] = state.global_step == 4

    trainer.add_callback(Vanish())
    with pytest.raises(FileNotFoundError, match="gone"):
        trainer.train()
    failing[0] = False
    assert step_of(newest_whole(tmp_path)[0]) == 4
    resumed = build(tmp_path)
    resumed.train(resume_from_checkpoint=True)
    assert_equal(uninterrupted, state_of(resumed))


def test_a_killed_worker(tmp_path, uninterrupted):
    """It is found when the next batch is wanted, and what is trained till then is saved."""
    loader = signal.getsignal(signal.SIGCHLD)

    class Kill(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            if state.global_step == 0:
                for worker in multiprocessing.active_children():
                    worker.kill()

    trainer = build(tmp_path, Kill(), dataloader_num_workers=1, dataloader_prefetch_factor=1)
    with pytest.raises(OSError, match=r"A worker of the data loader was killed, .* The run stands at step 1\."):
        trainer.train()
    assert step_of(newest_whole(tmp_path)[0]) == 1
    assert signal.getsignal(signal.SIGCHLD) is not signal.SIG_DFL or loader is signal.SIG_DFL
    resumed = build(tmp_path)
    resumed.train(resume_from_checkpoint=True)
    assert_equal(uninterrupted, state_of(resumed))


def test_signals_that_are_not_ours_to_catch():
    """Ignored ones, and those that somebody else handles; in other threads and forked processes none."""
    mine = lambda number, frame: None  # noqa: E731
    before = signal.signal(signal.SIGUSR1, mine), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with CaughtSignals(lambda number: None) as caught:
            assert signal.getsignal(signal.SIGUSR1) is mine and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            if (child := os.fork()) == 0:
                os.kill(os.getpid(), signal.SIGTERM)
                os._exit(caught.signum)
            assert os.waitpid(child, 0)[1] == 0 and not caught.signum
    finally:
        signal.signal(signal.SIGUSR1, before[0]), signal.signal(signal.SIGHUP, before[1])


def test_a_second_signal_ends_at_once(monkeypatch):
    """But not one that comes at the same time, as from a launcher and the terminal."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with pytest.raises(KeyboardInterrupt), CaughtSignals(lambda number: None) as caught:
        signal.raise_signal(signal.SIGINT)
        clock[0] = 1.0
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert caught.signum == signal.SIGINT
        clock[0] = 3.0
        signal.raise_signal(signal.SIGINT)


def test_a_signal_that_nobody_looked_at_takes_effect():
    with pytest.raises(KeyboardInterrupt), CaughtSignals(lambda number: None):
        signal.raise_signal(signal.SIGINT)


def _in_two_processes(rank, world, folder):
    """Only one process gets the signal; both stop after the same step."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29500", LOCAL_WORLD_SIZE=str(world))
    arguments = {"per_device_train_batch_size": 2}
    callback = Signal("step begin", 2) if rank == 1 else TrainerCallback()
    try:
        build(folder, callback, **arguments).train()
    except Stopped as stopped:
        said = str(stopped)
    resumed = build(folder, **arguments)
    resumed.train(resume_from_checkpoint=True)
    whole = build(f"{folder}/whole", **arguments)
    whole.train()
    assert_equal(state_of(whole), state_of(resumed))
    return said


def test_two_processes(tmp_path):
    assert set(in_processes(_in_two_processes, str(tmp_path))) == {
        f"Stopped by SIGTERM at step 3 of 6, saved in {tmp_path}/checkpoint-3."
    }


_SCRIPT = """
import os, sys, time

from tests.training.test_signals import build
class Slow(__import__("transformers").TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        print(f"step {state.global_step}", flush=True)
        time.sleep(0.5)
build(sys.argv[1], Slow(), dataloader_num_workers=2, disable_tqdm=False).train(resume_from_checkpoint=True)
"""


@pytest.mark.slow
def test_a_signal_to_the_whole_group(tmp_path):
    """A terminal, a scheduler and torchrun send it to the workers of the data loader too."""
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    for number, step in ((signal.SIGINT, 1), (signal.SIGTERM, 3)):
        process = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path / "run")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert any(line == f"step {step}\n" for line in process.stdout)
        os.killpg(process.pid, number)
        _, errors = process.communicate(timeout=120)
        newest, _ = newest_whole(tmp_path / "run")
        assert f"Stopped by {number.name} at step {step_of(newest)} of 6, saved in {newest}." in errors
        assert errors.count("Traceback") == 1  # of the script, which does not catch it
        assert step <= step_of(newest) <= step + 1


def test_workers_leave_signals_to_their_parent():
    told = []
    handlers = {number: signal.getsignal(number) for number in (*signal.valid_signals(),) if number not in (9, 19)}
    try:
        InWorker(told.append)(3)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert told == [3] and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert 0 < signal.alarm(0) <= 120
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, handlers[number])
