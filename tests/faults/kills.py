"""
Kills a run at any of its phases, starts the same command again, and compares with a run that nobody killed:
`python -m tests.faults.kills --count 100 --out docs/reliability/kills.json`.
"""

import argparse
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from . import commands, hub_process
from .lanes import in_lanes

PHASES = ("starting", "training", "saving", "export", "evaluation", "card", "push")
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT")
METHODS = ("simclr", "dino", "mae", "moco_v2", "deepcluster_v2", "obow")
TITLE = "Kills"
WHAT = (
    "Runs of six methods in one process and two, which train, evaluate, export, write their card and push, are killed "
    "by SIGKILL, SIGTERM and SIGINT (every second time the whole process group, as a terminal does; of two processes "
    "SIGKILL takes one, and the other gets SIGTERM, as from torchrun), some twice, and started again with the same "
    "command. Right: it ends with exit code 0; weights, optimizer, random states and results are bit-equal to those "
    "of a run that nobody killed; the repository on the Hub is complete; nothing is left over; no traceback was "
    "printed."
)
_BEGINS = {"export": "trained", "evaluation": "exported", "card": "evaluated", "push": "carded"}
_ENDS = {"export": "exported", "evaluation": "evaluated", "card": "carded", "push": "pushed"}
_REPOSITORY = {"config.json", "model.safetensors", "preprocessor_config.json"}
PUBLISHED = _REPOSITORY | {f"pretraining/{name}" for name in _REPOSITORY} | {"README.md"}
_PATIENCE = 180.0  # seconds that a run may take, and a third of it a process that was told to end


@dataclass(frozen=True)
class Case:
    """One kill: which run, when, how. The numbers are chosen by `number` and nothing else."""

    number: int
    method: str
    processes: int
    signal: str
    phase: str
    group: bool
    real: bool

    @property
    def name(self) -> str:
        many = f"{self.processes} processes" if self.processes > 1 else "one process"
        how = f"{self.signal}{' to the group' if self.group else ''}"
        return f"{self.number}, {self.method}, {many}{', a real command' if self.real else ''}, {how}"


def case(number: int) -> Case:
    """All phases with all methods within 42, with all signals within 21, with one process and two within 42."""
    phase = PHASES[number % 7]
    return Case(
        number,
        METHODS[number % 6],
        1 + (number // 21) % 2,
        SIGNALS[(number // 7) % 3],
        phase,
        group=number % 2 == 1,
        real=phase == "starting" or number % 10 == 5,
    )


class Killer:
    """
    Runs and kills in one folder.

    Args:
        folder (`Path`): holds `photos/`, and a folder for every case.
        url (`str`): of the Hub.
    """

    def __init__(self, folder: Path, url: str):
        self.folder, self.url = folder, url
        self._whole: dict[tuple[str, int], tuple[dict[str, str], dict[str, float]]] = {}

    def whole(self, method: str, processes: int) -> tuple[dict[str, str], dict[str, float]]:
        """The outcome of a run that nobody kills, and the seconds that its phases take."""
        from .runs import outcome

        if (method, processes) not in self._whole:
            folder = self.folder / f"whole-{method}-{processes}"
            command = self.start(Case(0, method, processes, "", "", False, False), folder)
            seconds = watch(command, folder / "run")
            if (code := command.wait(1.0)) != 0:
                end = "hung" if code is None else f"ended with {code}: {command.output('stderr')[-1000:]}"
                raise RuntimeError(f"An undisturbed run of {method} in {processes} processes {end}")
            self._whole[method, processes] = outcome(folder / "run"), seconds
        return self._whole[method, processes]

    def start(self, wanted: Case, folder: Path) -> commands.Command:
        from .runs import words

        folder.mkdir(exist_ok=True)
        line = words(wanted.method, self.folder / "photos", "--push_to_hub", "--hub_model_id", repository(folder))
        return commands.start(line, folder, processes=wanted.processes, real=wanted.real)

    def run(self, wanted: Case) -> str | None:
        """A sentence, unless all was right."""
        from .runs import difference

        whole, seconds = self.whole(wanted.method, wanted.processes)
        for attempt in range(10):
            folder = self.folder / f"case-{wanted.number}-{attempt}"
            chance = random.Random(f"{wanted.number} {attempt}")
            command = self.start(wanted, folder)
            if self.wait_for(wanted, command, folder / "run", seconds, chance, 0.7**attempt):
                break
            command.kill()
            shutil.rmtree(folder, ignore_errors=True)
        else:
            return "In ten runs the kill never met this phase."
        wrong = self.end(command, wanted)
        if wrong is None and wanted.number % 4 == 3:  # killed again
            command = self.start(wanted, folder)
            time.sleep(chance.uniform(0, 2.0) + (4.0 if wanted.real else 0.0))
            wrong = self.end(command, wanted)
        if wrong is None:
            command = self.start(wanted, folder)
            code = command.wait(_PATIENCE)
            wrong = said_wrong(command)
            if code != 0:
                last = command.output("stderr").strip().rpartition("\n")[2]
                wrong = f"Started again, it ended with {code}: {last}" if code else "Started again, it hung."
        wrong = wrong or difference(folder / "run", whole)
        wrong = wrong or hub_process.difference(self.url, repository(folder), folder / "run", PUBLISHED)
        if wrong is None:
            shutil.rmtree(folder)
        return wrong

    def wait_for(
        self,
        wanted: Case,
        command: commands.Command,
        run: Path,
        seconds: dict[str, float],
        chance: random.Random,
        share: float,
    ) -> bool:
        """Wait until the phase has been reached, and on into it; `False` when the command has ended before."""
        from .runs import SAVE_STEPS, STEPS, is_at

        delay = chance.random() * share
        deadline = time.monotonic() + _PATIENCE
        saves, step = chance.randrange(4), chance.randrange(0, STEPS, SAVE_STEPS)
        seen: set[str] = set()
        while command.poll() is None and time.monotonic() < deadline:
            if wanted.phase == "starting":
                time.sleep(0.3 + 5 * delay)
                break
            elif wanted.phase == "training":
                if is_at(run, f"checkpoint-{step}" if step else "begun"):
                    time.sleep(delay * seconds["training"] * SAVE_STEPS / STEPS)
                    break
            elif wanted.phase == "saving":
                seen |= saving(run)
                if len(seen) > saves:
                    time.sleep(delay * seconds["saving"])
                    break
            elif has_begun(run, wanted.phase):
                time.sleep(delay * seconds[wanted.phase])
                break
            time.sleep(0.001)
        return command.poll() is None

    def end(self, command: commands.Command, wanted: Case) -> str | None:
        """Send the signal and wait; a sentence, unless what followed was right."""
        signum = getattr(signal, wanted.signal)
        workers = [process for process in command.descendants() if is_hf_ssl(process)]
        if signum == signal.SIGKILL and wanted.real and wanted.processes > 1 and workers:
            workers[wanted.number % len(workers)].kill()  # torchrun then ends the other
        elif signum == signal.SIGKILL and len(command.pids) > 1:
            command.send(signum, command.pids[wanted.number % 2 :][:1], wanted.group)
            time.sleep(0.2)
            command.send(signal.SIGTERM)
        else:
            command.send(signum, group=wanted.group or (wanted.real and signum == signal.SIGKILL))
        code = command.wait(_PATIENCE / 3)
        if code is None:
            return f"It had not ended {_PATIENCE / 3:.0f} seconds after {wanted.signal}."
        return said_wrong(command, torchrun=wanted.real and wanted.processes > 1)


def is_hf_ssl(process: psutil.Process) -> bool:
    try:
        return "hf_ssl" in process.cmdline()
    except psutil.Error:
        return False


def repository(folder: Path) -> str:
    return f"me/{folder.name.replace('_', '-')}"


def saving(run: Path) -> set[str]:
    """Checkpoints that are being written; one that was written in place has no state yet."""
    try:
        names = {path.name: path for path in (run / "checkpoints").iterdir()}
    except OSError:
        return set()
    return {
        name
        for name, path in names.items()
        if name.startswith(".saving-")
        or (name.startswith("checkpoint-") and not (path / "trainer_state.json").is_file())
    }


def has_begun(run: Path, phase: str) -> bool:
    from .runs import has_reached

    return has_reached(run, _BEGINS[phase]) or (phase == "export" and any(run.glob(".export-*")))


def watch(command: commands.Command, run: Path) -> dict[str, float]:
    """The seconds that each phase of an undisturbed run takes."""
    from .runs import has_reached

    began: dict[str, float] = {}
    ended: dict[str, float] = {}
    deadline = time.monotonic() + _PATIENCE
    while command.poll() is None and time.monotonic() < deadline:
        now = time.monotonic()
        if (run / "run.json").is_file():
            began.setdefault("training", now)
        if saving(run):
            began.setdefault("saving", now)
        elif "saving" in began:
            ended.setdefault("saving", now)
        for phase in _BEGINS:
            if phase not in began and has_begun(run, phase):
                began[phase] = now
                ended.setdefault("training", now)
            if phase not in ended and has_reached(run, _ENDS[phase]):
                ended[phase] = now
        time.sleep(0.001)
    now = time.monotonic()
    return {phase: ended.get(phase, now) - began.get(phase, now) for phase in PHASES[1:]}


def said_wrong(command: commands.Command, torchrun: bool = False) -> str | None:
    """A sentence, where the output holds a traceback or says that it is a bug; torchrun has tracebacks of its own."""
    text = command.output("stderr") + command.output("stdout")
    if commands.TRACEBACK in text and (not torchrun or re.search(r'File "[^"]*/hf_ssl/', text)):
        return f"A traceback: {text.strip().rpartition(chr(10))[2]}"
    if "This is a bug" in text:
        return next(line for line in text.splitlines() if "This is a bug" in line)
    return None


def try_them(cases: Sequence[Case], lanes: int = 2):
    """Yields every case with what was wrong and the seconds that it took, as they come."""
    commands.end_tidily()
    with hub_process.hub_process() as url, tempfile.TemporaryDirectory(prefix="kills-") as place:
        folder = Path(place)
        os.environ.update({**commands.ONE_THREAD, **hub_process.environment(url, folder / "home")})
        commands.import_everything()
        from .runs import photos

        photos(folder / "photos")
        killer = Killer(folder, url)
        # One method, one lane: its undisturbed run is made once.
        shares = [[c for c in cases if METHODS.index(c.method) % lanes == i] for i in range(lanes)]
        yield from in_lanes(shares, killer.run)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="Kills.")
    parser.add_argument("--only", type=int, nargs="*", help="Numbers of single cases.")
    parser.add_argument("--out", type=Path, default=Path("docs/reliability/kills.json"))
    asked = parser.parse_args()
    from .report import Report

    command = f"python -m tests.faults.kills --count {asked.count}"
    report = Report(asked.out, TITLE, WHAT, command)
    numbers = range(asked.count) if asked.only is None else asked.only
    cases = [c for c in map(case, numbers) if not report.done(c.name)]
    for wanted, wrong, seconds in try_them(cases):
        kind = f"{wanted.phase}"
        report.add(
            kind,
            wanted.name,
            wrong,
            **{name: int(wanted.signal == name) for name in SIGNALS},
            **{"two processes": wanted.processes - 1},
        )
        print(f"       {seconds:.0f} s", flush=True)
    report.value["rows"].sort(key=lambda row: PHASES.index(row["kind"]))
    return int(report.finish() > 0)


if __name__ == "__main__":
    sys.exit(main())
