"""Every number of a committed card is that of the results file beside it, and of the committed table."""

import json
import re
from pathlib import Path

import alternating
import own_images
import pages
import pytest
import results_table

from hf_ssl.hub.card.build import validate_card
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


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_a_table_says_what_its_runs_measured(path):
    table = json.loads(path.read_text(encoding="utf-8"))
    for row in table["rows"]:
        runs = {seed: table["runs"][f"{row['method']}-{seed}"] for seed in row["seeds"]}
        assert row == results_table.row(METHODS[row["method"]], runs)
        ours = [run["evaluation"]["rows"][-1]["knn"] for run in runs.values()]
        assert row["knn"]["mean"] == pytest.approx(sum(ours) / len(ours))
    assert path.with_suffix(".md").read_text(encoding="utf-8") == results_table.markdown(table)
    page = pages.page_with(path.stem).read_text(encoding="utf-8")
    assert f"<!-- table {path.stem} -->\n{results_table.summary_table(table)}<!-- /table -->" in page


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_no_method_of_a_table_is_a_passenger(path):
    for row in json.loads(path.read_text(encoding="utf-8"))["rows"]:
        for score in ("knn", "linear"):
            ours, random_init, raw = (row[f"{prefix}{score}"]["mean"] for prefix in ("", "random_", "raw_"))
            assert ours > random_init + 2 and ours > raw + 10, (row["method"], score)
        assert row["knn"]["mean"] > row["random_knn"]["mean"] + 4, row["method"]
        assert len(row["seeds"]) >= 3, row["method"]


def test_a_page_says_how_fast_it_was():
    page = pages.page_with("speed").read_text(encoding="utf-8")
    assert f"<!-- table speed -->\n{alternating.summary()}<!-- /table -->" in page


def test_a_page_says_what_the_bare_command_gave():
    runs = json.loads(own_images.RESULTS.read_text(encoding="utf-8"))
    page = pages.page_with("own-images").read_text(encoding="utf-8")
    assert f"<!-- table own-images -->\n{own_images.table(runs)}<!-- /table -->" in page


@pytest.mark.parametrize("path", sorted(alternating.SPEED.glob("*.json")), ids=lambda path: path.stem)
def test_a_ratio_is_that_of_its_rates(path):
    value = json.loads(path.read_text(encoding="utf-8"))
    page = path.with_suffix(".md").read_text(encoding="utf-8")
    assert value["command"] in page and value["machine"] in page
    for case in value.get("cases", ()):
        others = [rate for name, rate in case["rates"].items() if name not in (alternating.OURS, *case["bounds"])]
        low, high = case["ratio_range"]
        assert low <= case["ratio"] <= high and f"**{case['ratio']:.2f}**" in page
        assert case["ratio"] == pytest.approx(case["rates"][alternating.OURS] / max(others), rel=0.35)
