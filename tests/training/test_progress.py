"""A run shows a bounded number of lines, and on a terminal one that is rewritten."""

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
