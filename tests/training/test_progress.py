"""A run shows a bounded number of lines, and on a terminal one that is rewritten."""

import errno
import io

import pytest

from .test_resume import build_trainer, images


@pytest.mark.parametrize("terminal", [False, True])
def test_lines_of_a_run_are_few(terminal, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    trainer = build_trainer("simclr", "vit", tmp_path, disable_tqdm=False, max_steps=50)
    trainer.train()
    trainer.evaluate(images())
    out, err = capsys.readouterr()
    lines = out.strip().splitlines()
    assert 10 <= len(lines) <= 21 and lines[0].startswith("step 1 of 50: loss ") and lines[0].endswith(" left")
    assert "50/50" in err if terminal else err == ""
    assert err.count("\n") == terminal  # nothing for the evaluation


def test_an_error_takes_the_place_of_the_line(tmp_path, capsys, monkeypatch):
    def fail(*args, **kwargs):
        raise ValueError("no")

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    trainer = build_trainer("simclr", "vit", tmp_path, disable_tqdm=False)
    trainer.model.after_optimizer_step = fail
    with pytest.raises(ValueError, match="no"):
        trainer.train()
    assert "\n" not in capsys.readouterr().err


class Gone(io.StringIO):
    """A pipe that nobody reads, and that once was a terminal."""

    def isatty(self):
        return True

    def write(self, text):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


@pytest.mark.parametrize("disable_tqdm", [False, True])
def test_nobody_reads_what_is_shown(disable_tqdm, tmp_path, monkeypatch):
    trainer = build_trainer("simclr", "vit", tmp_path, disable_tqdm=disable_tqdm, max_steps=2)
    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr", Gone())
        patch.setattr("sys.stdout", Gone())
        trainer.train()
    assert trainer.state.global_step == 2
