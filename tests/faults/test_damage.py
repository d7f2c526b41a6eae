"""A bounded part of the damaged inputs and of the faulty pushes; the whole is counted by their scripts."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(("module", "count"), [("inputs", 120), ("pushes", 40)])
def test_every_case_is_right(module, count, tmp_path):
    """In a process of its own, which is forked and must have no threads."""
    command = [sys.executable, "-m", f"tests.faults.{module}", "--count", str(count), "--seed", "5"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=800)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
