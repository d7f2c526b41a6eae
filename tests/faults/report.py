"""What a series of tries found: a JSON file that grows with every try, and with which a broken series goes on."""

import json
import os
import platform
from pathlib import Path
from typing import Any

import torch

from hf_ssl.utils.files import write_json


def machine() -> str:
    """In words: system, processor, cores, versions."""
    names = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    processor = names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
    return (
        f"{platform.system()}, {processor}, {len(os.sched_getaffinity(0))} cores, Python "
        f"{platform.python_version()}, torch {torch.__version__.partition('+')[0]}"
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


class Report:
    """
    The file of one series. Where it holds the beginning of the same series, that counts.

    Args:
        path (`Path`): the JSON file.
        title (`str`): heading of its part of the page.
        what (`str`): what was tried and what counts as right, in a sentence or two.
        command (`str`): with which it can be tried again.

    Attributes:
        value (`dict`): `title`, `what`, `command`, `machine`; `rows`: for every kind a dict with `kind`, `tried`,
            `right` and any further columns; `failures`: dicts with `kind`, `case` and `sentence`. `unfinished`, the
            names of the tries so far, is there until `finish`.
    """

    def __init__(self, path: Path, title: str, what: str, command: str):
        self.path = path
        self.value = {"title": title, "what": what, "command": command, "machine": machine()}
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if not ("unfinished" in before and all(before[name] == self.value[name] for name in self.value)):
            before = {"rows": [], "failures": [], "unfinished": []}
        self.value |= {name: before[name] for name in ("rows", "failures", "unfinished")}

    def done(self, case: str) -> bool:
        """Whether this try is in the file already."""
        return case in self.value["unfinished"]

    def row(self, kind: str) -> dict[str, Any]:
        """That of a kind, made when it is not there."""
        for row in self.value["rows"]:
            if row["kind"] == kind:
                return row
        self.value["rows"].append({"kind": kind, "tried": 0, "right": 0})
        return self.value["rows"][-1]

    def add(self, kind: str, case: str, sentence: str | None = None, **columns: int | str) -> None:
        """
        Count one try and write the file.

        Args:
            kind (`str`): of which it is an example.
            case (`str`): its name, by which it can be tried again.
            sentence (`str`, *optional*): what went wrong; `None` when all was right.
            columns: numbers are added to those of the row, texts replace them.
        """
        row = self.row(kind)
        row["tried"] += 1
        row["right"] += sentence is None
        for name, value in columns.items():
            row[name] = value if isinstance(value, str) else row.get(name, 0) + value
        if sentence is not None:
            self.value["failures"].append({"kind": kind, "case": case, "sentence": sentence})
        self.value["unfinished"].append(case)
        self.write()
        print(f"{'wrong' if sentence else 'right'}  {kind}: {case}{f': {sentence}' if sentence else ''}", flush=True)

    def finish(self) -> int:
        """The series is complete; returns the number of failures."""
        self.value.pop("unfinished", None)
        self.write()
        return len(self.value["failures"])

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.path, self.value)
