"""docs/reliability.md says what the files beside it hold."""

import json

from . import page
from .report import Report


def test_the_page_is_what_the_files_give():
    assert page.PAGE.read_text(encoding="utf-8") == page.page()


def test_a_file_counts_what_it_lists():
    for path in page.FOLDER.glob("*.json"):
        value = json.loads(path.read_text(encoding="utf-8"))
        assert path.stem in page.ORDER and value["rows"], path
        for row in value["rows"]:
            failed = sum(failure["kind"] == row["kind"] for failure in value["failures"])
            others = row.get("transformers alone", 0)
            assert row["tried"] == row["right"] + failed + others > 0, (path, row["kind"])


def test_a_broken_series_goes_on(tmp_path):
    path = tmp_path / "x.json"
    report = Report(path, "Title", "What", "command")
    report.add("a", "1", seconds="2 s")
    report.add("a", "2", "It was wrong.", kills=2)
    report = Report(path, "Title", "What", "command")
    assert report.done("1") and report.done("2") and not report.done("3")
    report.add("b", "3", kills=1)
    assert "Not all" in "\n".join(page.section(report.value))
    assert report.finish() == 1
    text = "\n".join(page.section(json.loads(path.read_text(encoding="utf-8"))))
    assert "| a | 2 | 1 | 2 s | 2 |\n| b | 1 | 1 |  | 1 |\n| **all** | **3** | **2** |  | **3** |" in text
    assert "- a, 2: It was wrong." in text and "Not all" not in text
    assert not Report(path, "Title", "Other", "command").value["rows"]
