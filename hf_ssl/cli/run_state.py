"""The record of a run, `run.json`: what was asked for, what was decided at its start, and what is done."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..checks.bounded_json import NoObjectError, read_large_json
from ..hub.published_files import exported_hashes
from ..training.run_record import RunRecord
from ..utils.files import write_json
from ..utils.redaction import redacted

VERSION = 2
RECORD = "run.json"
OLD_PLAN = "plan.json"  # of versions before 2: what is `decided` now
STAGES = ("training", "trained", "exported", "evaluated", "carded", "pushed")
_DECIDED = {"recipe", "costs", "wanted_steps", "eval_strategy"}
_PATHS = ("data", "backbone")


@dataclass
class RunState:
    """
    Args:
        asked (`dict`): what was asked for, see [`recorded`].
        decided (`dict`): what `Assembly.decided` gave when the run began; empty where that is not known.
        done (`dict`): facts of every stage of `STAGES` that is done, by its name. Of "training", where it was taken
            up; of "exported", the SHA-256 of every file; of "pushed", where and as which commit.
        missing (`dict`): why something that comes after training is not there, by what it is.
        version (`int`): of what wrote the record; 0 for the first, whose defaults were others.
    """

    asked: dict[str, Any]
    decided: dict[str, Any] = field(default_factory=dict)
    done: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    version: int = VERSION

    @property
    def stage(self) -> str:
        """The furthest of `STAGES`."""
        return next((stage for stage in reversed(STAGES) if stage in self.done), STAGES[0])

    def did(self, stage: str, facts: Mapping[str, Any]) -> None:
        """Note that a stage is done; what came after it is not, unless the facts are the same as before."""
        if self.done.get(stage) != facts:
            later = STAGES[STAGES.index(stage) :]
            self.done = {name: value for name, value in self.done.items() if name not in later}
        self.done[stage] = dict(facts)
        self.missing.pop(stage, None)

    def write(self, folder: Path) -> None:
        """Write `run.json`, whole; the folder is made where it has vanished."""
        folder.mkdir(parents=True, exist_ok=True)
        record = {"version": VERSION, **self.asked, "state": self.stage, "decided": self.decided}
        write_json(folder / RECORD, record | {"done": self.done, "missing": self.missing})


def read_state(folder: Path) -> RunState | None:
    """
    The record of the run in a folder; `None` without one. What older versions left is read for what it was.

    Raises:
        ValueError: when there is a record that cannot be read.
    """
    path = folder / RECORD
    if not os.path.lexists(path):
        return None
    remedy = "choose another --output-dir, or remove the folder."
    try:
        record = read_large_json(path)
    except NoObjectError:
        record = {}
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"{str(error).removesuffix('.')}: {remedy}") from None
    parts = ("training", "config", "processor", "decided", "done", "missing")
    sound = {"method", "training"} <= record.keys()
    if not sound or not all(isinstance(record.get(part, {}), dict) for part in parts):
        raise ValueError(f"{path} is not what a run writes: {remedy}")
    version = record.pop("version", 0)
    if not isinstance(version, int) or version > VERSION:
        raise ValueError(f"{path} was written by a newer hf_ssl: update it, or {remedy}")
    record.pop("state", None)  # follows from what is done
    continued_from = record.pop("continued_from", None)
    decided, done, missing = (record.pop(part, {}) for part in ("decided", "done", "missing"))
    if version < 2:
        decided, done = _read_old_plan(folder), _done_before_version_2(folder, continued_from)
    return RunState(recorded(record), decided, done, missing, version)  # an old one may have a path spelt differently


def recorded(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What `run.json` keeps of what was asked for: JSON, paths in one spelling, and no tokens."""
    kept = json.loads(redacted(json.dumps(dict(asked), default=str)))
    for name in _PATHS:
        if kept.get(name) is not None and Path(kept[name]).expanduser().exists():
            kept[name] = str(Path(kept[name]).expanduser().resolve())
    kept["training"] = {name: value for name, value in kept.get("training", {}).items() if not name.endswith("token")}
    return {name: value for name, value in kept.items() if name not in ("output_dir", "overwrite")}


def _read_old_plan(folder: Path) -> dict[str, Any]:
    try:
        plan = read_large_json(folder / OLD_PLAN)
    except (OSError, ValueError):
        return {}
    return plan if plan.keys() >= _DECIDED else {}


def _done_before_version_2(folder: Path, continued_from: int | None) -> dict[str, Any]:
    """A run was finished when its `results.json` was there, unless that was of the part before it went on."""
    record = RunRecord.read(folder)
    if record is None or record.run["steps"] == continued_from:
        return {}
    return dict.fromkeys(STAGES[:-1], {}) | {"exported": exported_hashes(folder)}
