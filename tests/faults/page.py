"""docs/reliability.md, written from the files in docs/reliability/: `python -m tests.faults.page`."""

import json
from pathlib import Path
from typing import Any

from benchmarks.pages import lines_of

DOCS = Path(__file__).parents[2] / "docs"
PAGE, FOLDER = DOCS / "reliability.md", DOCS / "reliability"
ORDER = ("kills", "environment", "load", "inputs", "pushes")
HEAD = """# What was tried to break it

Written by `python -m tests.faults.page` from the files in [reliability/](reliability/), which the commands below make.
A try is *right* when nothing is lost, nothing wrong is taken for right, nothing is left over, no program hangs, and
whatever is said is a sentence and no traceback; each part says what that means for its tries. The numbers are those of
the last whole run of a series; most of what a series found wrong was mended after it.
"""


def section(value: dict[str, Any]) -> list[str]:
    """The part of one series, see `Report`."""
    columns = list(dict.fromkeys(name for row in value["rows"] for name in row))
    numbers = {name for name in columns if all(isinstance(row.get(name, 0), int | float) for row in value["rows"])}
    rows = [[str(row.get(name, 0 if name in numbers else "")) for name in columns] for row in value["rows"]]
    if len(rows) > 1:
        whole = {n: sum(r.get(n, 0) for r in value["rows"]) for n in columns if n in numbers}
        rows.append(["**all**", *(f"**{whole[name]}**" if name in whole else "" for name in columns[1:])])
    failures = [f"- {f['kind']}, {f['case']}: {f['sentence']}" for f in value["failures"]]
    unfinished = ["", "*Not all of it was tried yet.*"] if "unfinished" in value else []
    return [
        *("", f"## {value['title']}", "", value["what"], "", f"`{value['command']}`"),
        *("", *lines_of(columns, rows, tuple(name for name in columns if name not in numbers))),
        *unfinished,
        *("", "What went wrong:" if failures else "Nothing went wrong.", *([""] if failures else []), *failures),
        *("", f"Machine: {value['machine']}."),
    ]


def page() -> str:
    paths = [FOLDER / f"{name}.json" for name in ORDER]
    parts = [section(json.loads(path.read_text(encoding="utf-8"))) for path in paths if path.is_file()]
    return HEAD + "\n".join(line for part in parts for line in part) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
