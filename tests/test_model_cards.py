"""Every number of a committed card is that of the results file beside it, and of the committed table."""

import json
import re
from pathlib import Path

import pytest

from hf_ssl.hub.card import validate_card
from hf_ssl.registry import METHODS

ROOT = Path(__file__).parents[1]
CARDS = sorted((ROOT / "model_cards").glob("*.md"))
TABLES = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


def test_there_are_cards_and_tables():
    assert len(CARDS) >= 10 and TABLES


@pytest.mark.parametrize("card", CARDS, ids=lambda path: path.stem)
def test_a_card_says_what_its_run_measured(card):
    text, results = card.read_text(encoding="utf-8"), json.loads(card.with_suffix(".json").read_text(encoding="utf-8"))
    assert validate_card(text) == [] and card.stem in METHODS and results["run"]["method"] == card.stem
    for row in results["evaluation"]["rows"]:
        shown = re.search(rf"^\| \**{row['name']}\** \| \**([\d.]+)\** \| \**([\d.]+)\** \|", text, re.MULTILINE)
        assert shown.groups() == (f"{row['knn']:.1f}", f"{row['linear']:.1f}"), row["name"]
    assert f"| seed | {results['run']['seed']} |" in text and results["run"]["command"] in text
    figures = re.findall(r"\]\((figures/[^)]+)\)", text)
    assert figures and all((card.parent / figure).is_file() for figure in figures)


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_a_table_says_what_its_runs_measured(table):
    text, results = table.with_suffix(".md").read_text(encoding="utf-8"), json.loads(table.read_text(encoding="utf-8"))
    for row in results["rows"]:
        runs = [results["runs"][f"{row['method']}-{seed}"] for seed in row["seeds"]]
        ours = [run["evaluation"]["rows"][-1] for run in runs]
        for score in ("knn", "linear"):
            mean = sum(r[score] for r in ours) / len(ours)
            assert row[score]["mean"] == pytest.approx(mean)
            assert f" {mean:.1f} ± " in text


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_the_readme_says_what_a_table_says(table):
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for row in json.loads(table.read_text(encoding="utf-8"))["rows"]:
        title = METHODS[row["method"]].title
        cells = [line.split("|")[2:6] for line in lines if title in line]
        shown = [[cell.strip().partition(" ± ")[0] for cell in row_cells] for row_cells in cells]
        assert [f"{row[key]['mean']:.1f}" for key in ("knn", "linear", "random_knn", "random_linear")] in shown, title
