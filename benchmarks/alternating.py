"""Contestants of a benchmark take turns in one process, so that what counts, their ratio, survives a noisy machine."""

import json
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from pages import lines_of, put_into_page

SPEED = Path(__file__).with_name("speed")
OURS = "hf_ssl"


def alternate(
    contestants: dict[str, Callable[[], int]],
    rounds: int,
    allocator: Callable[[], AbstractContextManager] | None = None,
) -> dict[str, list[float]]:
    """
    Items a second of each contestant in each round, after one round that does not count.

    Args:
        contestants: name -> a function that does its work and returns how many items that were.
        rounds (`int`): every one starts with the next contestant, so that none always runs first.
        allocator: context of ours, which the others do without, as their users do. Every turn is then two calls, of
            which the second counts: by then memory is as this contestant has it.
    """
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for i in range(rounds + 1):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            with allocator() if allocator and name.startswith(OURS) else nullcontext():
                if allocator:
                    contestants[name]()
                started = time.perf_counter()
                items = contestants[name]()
                seconds = time.perf_counter() - started
            if i:
                rates[name].append(items / seconds)
    return rates


def case(
    name: str, rates: dict[str, list[float]], bounds: tuple[str, ...] = (), details: dict[str, dict] | None = None
) -> dict[str, Any]:
    """
    Median rates, and the median over the rounds of ours by the best other one's in the same round.

    Args:
        bounds: contestants that nobody is compared with.
        details: column -> name -> number, for further columns of the table.
    """
    others = [rate for other, rate in rates.items() if other != OURS and other not in bounds]
    ratios = [ours / max(rest) for ours, *rest in zip(rates[OURS], *others, strict=True)]
    return {
        "case": name,
        "rates": {contestant: statistics.median(values) for contestant, values in rates.items()},
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
        "bounds": list(bounds),
        "details": details or {},
    }


def machine() -> str:
    """What the figures were measured on."""
    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads, {accelerator}"


def write(name: str, title: str, unit: str, command: str, cases: list[dict], packages: list[str]) -> None:
    """`benchmarks/speed/NAME.json` and the same as Markdown."""
    contestants = list(dict.fromkeys(contestant for c in cases for contestant in c["rates"]))
    head = ["", *contestants, "ratio to the best other", "range", *cases[0]["details"]]
    rows = []
    for c in cases:
        rates = [f"{c['rates'][n]:,.0f}" if n in c["rates"] else "" for n in contestants]
        low, high = c["ratio_range"]
        details = [", ".join(f"{n} {value:,.3g}" for n, value in d.items()) for d in c["details"].values()]
        rows.append([c["case"], *rates, f"**{c['ratio']:.2f}**", f"{low:.2f} to {high:.2f}", *details])
    page(
        name,
        title,
        command,
        packages,
        {"cases": cases},
        [f"{unit}; medians over the rounds.", "", *lines_of(head, rows)],
    )


def page(name: str, title: str, command: str, packages: list[str], values: dict[str, Any], lines: list[str]) -> None:
    """`benchmarks/speed/NAME.json` with `values`, `benchmarks/speed/NAME.md` with `lines`: how and where measured."""
    versions = {}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    value = {"title": title, "command": command, "machine": machine(), "versions": versions, **values}
    head = [f"# {title}", "", f"`{command}` on {value['machine']}.", ""]
    head += [", ".join(f"{p} {v}" for p, v in versions.items()) + ".", ""]
    text = "\n".join(head + lines) + "\n"
    SPEED.mkdir(exist_ok=True)
    (SPEED / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    (SPEED / f"{name}.md").write_text(text, encoding="utf-8")
    put_into_page("speed", summary())
    print(text)


def summary() -> str:
    """Every benchmark with ratios, for docs/speed.md: cases where we are slowest and fastest beside the best other."""
    rows = []
    for path in sorted(SPEED.glob("*.json")):
        value = json.loads(path.read_text(encoding="utf-8"))
        cases = sorted(value.get("cases", ()), key=lambda case: case["ratio"])
        if cases:
            others = dict.fromkeys(n for c in cases for n in c["rates"] if n not in (OURS, *c["bounds"]))
            ends = [f"{c['ratio']:.2f} ({c['case']})" for c in (cases[0], cases[-1])]
            rows.append([f"[{value['title']}](../benchmarks/speed/{path.stem}.md)", ", ".join(others), *ends])
    return "\n".join(lines_of(["", "against", "slowest case", "fastest case"], rows, ("", "against"))) + "\n"
