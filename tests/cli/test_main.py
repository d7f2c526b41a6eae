"""The command itself: what answers at once, one spelling of options, and how unexpected ends are told."""

import os
import subprocess
import sys
import time

import pytest

from hf_ssl.cli.app import app
from hf_ssl.cli.options import read_command_line
from hf_ssl.registry import METHODS
from hf_ssl.utils.stopping import Stopped

from .test_errors import exit_code

COMMANDS = {info.name or info.callback.__name__: info.callback for info in app.registered_commands}
HF_SSL = [sys.executable, "-m", "hf_ssl"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["methods"], "arXiv:2104.14294"),
        (["env"], "transformers"),
        (["--version"], "hf-ssl 0."),
        (["--help"], "--install-completion"),
        ([], "Usage: hf-ssl"),
        (["pretrain", "-h"], "deepcluster_v2"),
        (["evaluate", "native", "--help"], "--image-processor"),
    ],
    ids=" ".join,
)
def test_answers(arguments, expected, monkeypatch, capsys):
    assert exit_code(monkeypatch, *arguments) == 0
    assert expected in capsys.readouterr().out


@pytest.mark.parametrize("argument", ["methods", "--help", "--version"])
def test_quick_answers_take_no_torch(argument):
    code = f"""
import sys
sys.argv[1:] = [{argument!r}]
from hf_ssl.cli import main
try:
    main()
finally:
    assert not {{"torch", "transformers", "numpy"}} & {{*sys.modules}}
"""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert time.perf_counter() - started < 5  # a fifth of a second on a quiet machine


@pytest.mark.parametrize(
    ("words", "training", "rest"),
    [
        ("--image-size 32", {}, ["--image-size=32"]),
        ("--image_size=32", {}, ["--image-size=32"]),
        ("--output_dir out", {}, ["--output-dir=out"]),
        ("--num-train-epochs 3", {"num_train_epochs": 3.0}, []),
        ("--num_train_epochs=3 --seed 1", {"num_train_epochs": 3.0, "seed": 1}, []),
        ("--bf16 dino --lars false", {"bf16": True, "lars": False}, ["--", "dino"]),
        ("dino --no-doctor --views-on-device", {"doctor": False, "views_on_device": True}, ["--", "dino"]),
        ("--no_evaluate --overwrite", {}, ["--no-evaluate", "--overwrite"]),
        ("--evaluate no --overwrite false", {}, ["--no-evaluate", "--no-overwrite"]),
        ("--config a=1 --config b=2", {}, ["--config=a=1", "--config=b=2"]),
        ("--learning_rate -0.5 --data a --data a", {"learning_rate": -0.5}, ["--data=a", "--data=a"]),
    ],
)
def test_one_spelling_of_options(words, training, rest):
    assert read_command_line(["pretrain", *words.split()], COMMANDS) == (training, ["pretrain", *rest])


def test_home_is_found():
    _, rest = read_command_line(["evaluate", "x", "--data=~/photos"], COMMANDS)
    assert rest[1] == f"--data={os.path.expanduser('~/photos')}"


def test_names_of_methods_are_completed():
    words = {"COMP_WORDS": "hf-ssl pretrain si", "COMP_CWORD": "2", "_HF_SSL_COMPLETE": "complete_bash"}
    done = subprocess.run(HF_SSL, env=os.environ | words, capture_output=True, text=True)
    assert done.stdout.split() == [name for name in METHODS if name.startswith("si")]
    shown = subprocess.run([*HF_SSL, "--show-completion", "bash"], capture_output=True, text=True)
    assert "_HF_SSL_COMPLETE" in shown.stdout + shown.stderr


def stumble(monkeypatch, error):
    def run(**_):
        raise error

    monkeypatch.setattr("hf_ssl.cli.env.report", run)


@pytest.mark.parametrize(
    ("error", "code", "expected"),
    [
        (KeyError("x"), 1, "This is a bug, please report it: KeyError in "),
        (RuntimeError("CUDA out of memory. Tried"), 2, "Lower --per_device_train_batch_size"),
        (MemoryError(), 2, "Lower --per_device_train_batch_size"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), 2, "Lower --dataloader_num_workers"),
        (PermissionError(13, "Permission denied", "/nowhere"), 2, "/nowhere: Permission denied. Check"),
        (OSError(28, "No space left on device"), 2, "No space left on device: make room"),
        (RuntimeError("unable to open shared memory object </torch_7> in /dev/shm"), 2, "--dataloader_num_workers 0"),
        (KeyboardInterrupt(), 130, "Interrupted"),
        (Stopped(15, "Stopped by SIGTERM at step 3 of 4, saved in run."), 143, "at step 3 of 4, saved in run.\n"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_unexpected_ends(error, code, expected, monkeypatch, capsys):
    stumble(monkeypatch, error)
    assert exit_code(monkeypatch, "env") == code
    message = capsys.readouterr().err
    assert expected in message and message.count("\n") == 1 and "Traceback" not in message


def test_a_traceback_for_those_who_ask(monkeypatch, capsys):
    stumble(monkeypatch, KeyError("x"))
    monkeypatch.setenv("HF_SSL_TRACEBACK", "1")
    assert exit_code(monkeypatch, "env") == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_tokens_are_not_repeated(monkeypatch, capsys):
    def run(request):
        raise KeyboardInterrupt

    monkeypatch.setattr("hf_ssl.cli.pretrain.run", run)
    assert exit_code(monkeypatch, "pretrain", "simclr", "--hub_token", "hf_secret", "--push_to_hub") == 130
    message = capsys.readouterr().err
    assert "hf-ssl pretrain simclr --hub_token '***' --push_to_hub" in message and "secret" not in message


def test_a_reader_that_leaves_is_no_mistake():
    done = subprocess.run(
        f"{sys.executable} -m hf_ssl methods | true", shell=True, capture_output=True, text=True, executable="/bin/sh"
    )
    assert done.stderr == ""


def test_closed_standard_streams_are_no_mistake():
    command = f"{HF_SSL[0]} -m hf_ssl methods >&- 2>&-"
    assert subprocess.run(command, shell=True, check=False, timeout=60).returncode == 0
