"""Every method learns on real photographs: above raw pixels and above its own random initialisation."""

import json
import subprocess
import sys

import pytest

from hf_ssl.cli.app import DEFAULT_METHOD
from hf_ssl.registry import METHODS


def pretrain(folder, method, seed, *more):
    """Run the command as a user would; the rows of its table by name."""
    arguments = ["pretrain", method, "--output-dir", str(folder), "--seed", str(seed), *map(str, more)]
    run = subprocess.run(
        [sys.executable, "-m", "hf_ssl.cli", *arguments, "--disable_tqdm", "true"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-3000:]
    results = json.loads((folder / "results.json").read_text())
    assert results["run"]["doctor"] == []
    return {row["name"]: row for row in results["evaluation"]["rows"]}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", METHODS)
def test_the_small_recipe_learns(method, seed, tmp_path):
    rows = pretrain(tmp_path / "run", method, seed)
    ours, random_init, raw = (rows[name] for name in ("this encoder", "random init", "raw pixels"))
    for score in ("knn", "linear"):
        assert ours[score] > random_init[score] + 4, (method, score, rows)
        assert ours[score] > raw[score] + 10, (method, score, rows)
    if method == DEFAULT_METHOD:
        assert ours["knn"] >= 75 and ours["knn"] >= random_init["knn"] + 20, rows
