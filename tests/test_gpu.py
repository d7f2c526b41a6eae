"""Everything else is tested on the CPU, whatever the machine: what needs a GPU runs in a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="no NVIDIA GPU")
def test_on_the_gpu():
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", str(Path(__file__).with_name("gpu"))]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "0"}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1200)
    assert ran.returncode == 0, ran.stdout[-4000:]
    assert "skipped" not in ran.stdout.splitlines()[-1]
