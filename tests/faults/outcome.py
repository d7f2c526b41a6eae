"""From many results to a file for `docs/reliability.md`, and a histogram; an interrupted count goes on."""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hf_ssl.utils.files import write_json

from .cases import FOREIGN, RIGHT
from .report import machine


@contextmanager
def partial(out: Path | None, seed: int) -> Iterator[tuple[list[dict], Callable[[dict], None]]]:
    """The results of an earlier start with this seed, and what keeps and prints one more."""
    earlier: list[dict] = []
    if out is None:
        yield earlier, lambda result: _say(result)
        return
    file = out.with_suffix(".partial")
    if file.exists():
        whole = [line for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]
        file.write_text("".join(whole))  # the last one may have been cut off
        earlier = [found["result"] for found in map(json.loads, whole) if found["seed"] == seed]
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a") as opened:

        def keep(result: dict) -> None:
            opened.write(json.dumps({"seed": seed, "result": result}) + "\n")
            opened.flush()
            _say(result)

        yield earlier, keep


def _say(result: dict) -> None:
    if result["number"] % 100 == 0:
        print(f"... {result['number']}", flush=True)
    if result["verdict"] not in (*RIGHT, FOREIGN, "right"):
        print(json.dumps(result), flush=True)


def finish(
    results: list[dict], args: argparse.Namespace, kind: str, right: tuple[str, ...], title: str, what: str
) -> int:
    """Print the histogram, write the file, and give the exit code: 1 where something is wrong."""
    rows = []
    verdicts = sorted({result["verdict"] for result in results} - {"right"})
    for name in sorted({result[kind] for result in results}):
        counts = Counter(result["verdict"] for result in results if result[kind] == name)
        row = {"kind": name, "tried": counts.total(), "right": sum(counts[verdict] for verdict in right)}
        rows.append(row | {verdict: counts[verdict] for verdict in verdicts})
    detail = "mutator" if kind == "family" else "fault"
    table = Counter((r[kind], r[detail], r["verdict"]) for r in results)
    for name, inner in sorted({(a, b) for a, b, _ in table}):
        counts = ", ".join(f"{v} {n}" for (a, b, v), n in sorted(table.items()) if (a, b) == (name, inner))
        print(f"{name:20} {inner:44} {counts}")
    print(Counter(result["verdict"] for result in results))
    failures = [
        {"kind": r[kind], "case": f"{r['number']}: {r[detail]}", "sentence": r["said"][:300]}
        for r in results
        if r["verdict"] not in (*right, FOREIGN)
    ]
    if args.out is not None:
        command = f"python -m tests.faults.{args.out.stem} --count {args.count} --seed {args.seed} --out {args.out}"
        found = {"title": title, "what": what, "command": command, "machine": machine()}
        write_json(args.out, found | {"rows": rows, "failures": failures})
        args.out.with_suffix(".partial").unlink(missing_ok=True)
    return int(bool(failures))
