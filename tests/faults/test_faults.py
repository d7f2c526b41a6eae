"""A handful of each kind of try, in processes of their own; the page has them all."""

import json
import subprocess
import sys

import pytest

from . import kills

pytestmark = pytest.mark.slow


def series(name, path, *words):
    """The report of `python -m tests.faults.NAME WORDS`."""
    line = [sys.executable, "-m", f"tests.faults.{name}", *map(str, words), "--out", str(path / "report.json")]
    said = subprocess.run(line, capture_output=True, text=True)
    assert (path / "report.json").is_file(), said.stderr
    report = json.loads((path / "report.json").read_text(encoding="utf-8"))
    assert "unfinished" not in report and report["failures"] == [] and said.returncode == 0, said.stderr
    return sum(row["right"] for row in report["rows"])


def test_killed_runs_end_as_if_nobody_had_killed_them(tmp_path):
    """One of every phase, all signals, one process and two."""
    numbers = (1, 9, 17, 25, 33, 41, 28)
    wanted = [kills.case(number) for number in numbers]
    assert {case.phase for case in wanted} == set(kills.PHASES) and {case.processes for case in wanted} == {1, 2}
    assert {case.signal for case in wanted} == set(kills.SIGNALS)
    assert series("kills", tmp_path, "--only", *numbers) == len(numbers)


def test_a_spoilt_environment_loses_nothing(tmp_path):
    """The first of every kind of fault that takes no root."""
    assert series("environment", tmp_path, "--short") >= 12


def test_load(tmp_path):
    assert series("load", tmp_path, "--short") == 4
