"""
Damaged inputs of every kind through the public doors: `python -m tests.faults.inputs --count 3000 --seed 0`.

A case is told by the seed and its number alone. Right are: one sentence; the same as before the damage; of data, the
damaged image named and the others used. Wrong are tracebacks, hangs, more than 2 GiB of memory, and silent
acceptances, of what cannot be meant.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ |= {
    "HF_HUB_OFFLINE": "0",
    "TQDM_DISABLE": "1",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}  # before anything reads them

import torch
import tqdm
from huggingface_hub import constants

from ..hub_server.client import settings
from . import doors
from .canary import Canary
from .cases import FOREIGN, RIGHT, Case, marks
from .children import GIGABYTE, begin, bounded, run_children
from .families import archives, pictures, released, repositories, tables, written
from .material import make_all
from .outcome import finish, partial

DEADLINE = 10.0  # seconds
MEMORY = 2 * GIGABYTE  # beyond what the imports take
# Family -> how many of a hundred cases, and what makes them.
FAMILIES = {
    "weights": (20, repositories.weights),
    "index of shards": (4, repositories.index),
    "configurations": (16, repositories.configs),
    "image processors": (12, repositories.processors),
    "files that are none": (4, repositories.names),
    "images": (20, pictures.case),
    "cells of tables": (12, tables.case),
    "tars": (5, archives.tars),
    "idx files": (3, archives.idx),
    "metadata tables": (3, archives.metadata),
    "public checkpoints": (6, released.case),
    "results and cards": (4, written.case),
}


def make_case(seed: int, number: int, home: Path, known: dict) -> tuple[str, Case]:
    """Case `number`, in the present folder."""
    rng = random.Random(f"{seed} {number}")
    names = sorted(FAMILIES)
    family = rng.choices(names, [FAMILIES[name][0] for name in names])[0]
    return family, FAMILIES[family][1](rng, home, known)


def try_case(seed: int, number: int, home: Path, known: dict) -> dict[str, Any]:
    """The verdict on one case, in a child."""
    os.environ["FAULTS_MARKS"] = str(Path("marks").absolute())
    Path("marks").mkdir()
    print(json.dumps({"number": number, "family": "?", "mutator": "?", "door": "?", "detail": ""}), flush=True)
    family, case = make_case(seed, number, home, known)
    facts = {"number": number, "family": family, "mutator": case.mutator, "door": case.door, "detail": case.detail}
    Path("facts.json").write_text(json.dumps(facts))
    print(json.dumps(facts), flush=True)
    bounded(MEMORY)
    begin()
    verdict, said = verdict_on(case)
    found = marks(Path(os.environ["FAULTS_MARKS"]))
    if Path.cwd().name in Path(os.environ["FAULTS_HOME"], "asked").read_text():
        found.append("an address was asked")
    if found:
        verdict, said = "silent", f"{', '.join(found)}; {verdict}: {said}"
    return facts | {"verdict": verdict, "said": said[:600]}


def verdict_on(case: Case) -> tuple[str, str]:
    try:
        judged = case.judge(case.open())
    except doors.Refused as refused:
        return ("refused although valid" if case.valid else "refused"), str(refused)
    except doors.Foreign as foreign:
        return FOREIGN, str(foreign)
    except doors.Unsound as unsound:
        return "silent", str(unsound)
    except (doors.Fault, MemoryError) as fault:
        return ("memory" if "emory" in str(fault) else "traceback"), str(fault)
    return (judged, "") if judged in RIGHT else ("silent", judged)


def look_up(functions: dict, home: Path) -> dict:
    """What each function says of undamaged material, in this process: what they import is there from then on."""
    known, present = {}, os.getcwd()
    for name, function in functions.items():
        folder = tempfile.mkdtemp(dir=home)
        os.chdir(folder)
        try:
            known[name] = function()
        except (doors.Refused, doors.Fault, doors.Foreign, doors.Unsound) as error:
            raise RuntimeError(f"Undamaged material is refused, {name}: {error}") from error
        finally:
            os.chdir(present)
            shutil.rmtree(folder)
    threads = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Threads")]
    print(f"{len(known)} doors open for undamaged material ({threads[0]}).", flush=True)
    return known


def look_up_in_children(functions: dict, home: Path) -> dict:
    """The same for what starts threads, which no process that is forked may have."""
    known = {}
    for name, ended in run_children(functions.items(), 2, 120.0, str(home / "cases")):
        if ended.problem:
            raise RuntimeError(f"Undamaged material is refused, {name}: {ended.output}")
        known[name] = ended.value
    return known


def prepare(home: Path) -> None:
    """Programs that must not be started stand first in PATH, and the Hub is a server that should not be asked."""
    (home / "cases").mkdir()
    (home / "programs").mkdir()
    for name in ("gs", "gswin32c", "gswin64c", "convert", "magick", "ffmpeg", "rsvg-convert", "git"):
        program = home / "programs" / name
        program.write_text(f'#!/bin/sh\necho > "$FAULTS_MARKS/started {name}"\nexit 1\n')
        program.chmod(0o755)
    os.environ["PATH"] = f"{home / 'programs'}:{os.environ['PATH']}"


def run(
    count: int, seed: int, jobs: int, home: Path, only: list[int] | None = None, done: Any = None, skip: Any = ()
) -> list[dict]:
    """Cases 0 to `count`, or `only` these, without those to `skip`; `done` is called with each as it ends."""
    prepare(home)
    tqdm.tqdm.monitor_interval = 0  # no thread: this process is forked
    torch.set_num_threads(1)
    make_all(home)
    pictures.make_bombs(home / "bombs")
    released.make_released(home / "released")
    archives.make_bomb(home / "bombs" / "zeros.gz")
    for _ in run_children(
        [("secret", lambda: archives.make_secret(home / "secret")), ("run", lambda: written.make_run(home))],
        2,
        120.0,
        str(home / "cases"),
    ):
        if _[1].problem:
            raise RuntimeError(_[1].output)
    results = []
    with Canary(home) as canary:
        for name, value in settings(canary.url, str(home)).items():
            setattr(constants, name, value)
        os.environ |= {"FAULTS_SERVER": canary.url, "FAULTS_HOME": str(home)}
        known = look_up_in_children(tables.controls() | archives.controls(home), home)
        known |= look_up(
            repositories.controls(home) | pictures.controls(home) | released.controls(home) | written.controls(home),
            home,
        )
        numbers = [n for n in (range(count) if only is None else only) if n not in skip]
        tasks = ((n, lambda n=n: try_case(seed, n, home, known)) for n in numbers)
        again = []
        for number, ended in run_children(tasks, jobs, DEADLINE, str(home / "cases")):
            if ended.problem == "hang":  # once more, alone: others use this machine too
                again.append(number)
                continue
            results.append(_result(number, ended))
            if done is not None:
                done(results[-1])
        tasks = ((n, lambda n=n: try_case(seed, n, home, known)) for n in again)
        for number, ended in run_children(tasks, 1, DEADLINE, str(home / "cases")):
            results.append(_result(number, ended))
            if done is not None:
                done(results[-1])
    return sorted(results, key=lambda result: result["number"])


def _result(number: int, ended) -> dict[str, Any]:
    if not ended.problem:
        return ended.value | {"seconds": round(ended.seconds, 2)}
    try:
        lines = [line for line in ended.output.splitlines() if line.startswith('{"number"')]
        facts = json.loads(lines[-1])
    except (ValueError, IndexError):
        facts = {"number": number, "family": "?", "mutator": "?", "door": "?", "detail": ""}
    verdict = ended.problem.split(":")[0]
    verdict = "traceback" if verdict == "crash" else verdict
    return facts | {"verdict": verdict, "said": f"{ended.problem} {ended.output[-600:]}", "seconds": ended.seconds}


TITLE = "Damaged inputs"
WHAT = (
    "Weights, configurations, image processors, images, tables, archives and public checkpoints were damaged, and "
    "opened by the commands and by the functions of Python. Right: one sentence; the same as before the damage; of "
    "data, the damaged image named and the others used. Wrong: a traceback, more than 10 seconds or 2 GiB, or a "
    "silent acceptance, of what cannot be meant. Neither right nor a failure of hf_ssl is what transformers does "
    "alone: its Auto classes read config.json and preprocessor_config.json before they know that a method of hf_ssl "
    "is meant; what they raise then, a RecursionError or a sentence of 2 900 characters, passes through no code of "
    "hf_ssl."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int, nargs="*", help="Only the cases of these numbers.")
    parser.add_argument("--families", nargs="*", help="Only these; the numbers mean other cases then.")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    for name in FAMILIES.keys() - {*(args.families or FAMILIES)}:
        del FAMILIES[name]
    home = Path(tempfile.mkdtemp(prefix="tried-"))
    with partial(args.out, args.seed) as (earlier, keep):
        try:
            skip = {result["number"] for result in earlier}
            results = run(args.count, args.seed, args.jobs, home, args.only, keep, skip)
        finally:
            shutil.rmtree(home, ignore_errors=True)
    sys.exit(finish([*earlier, *results], args, "family", RIGHT, TITLE, WHAT))


if __name__ == "__main__":
    main()
