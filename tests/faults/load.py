"""
Many images, many classes, many steps: `python -m tests.faults.load --out docs/reliability/load.json`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import commands

TITLE = "Load"
COMMAND = "python -m tests.faults.load"
_PATIENCE = 600.0


@dataclass(frozen=True)
class Size:
    """How much is asked, and what it may take."""

    images: int = 100_000
    start_seconds: float = 30.0
    start_megabytes: float = 200.0
    classes: int = 10_000
    evaluated_seconds: float = 300.0
    steps: int = 5000
    growth_megabytes: float = 10.0


def what(size: Size) -> str:
    return (
        f"`hf-ssl pretrain` of {size.images} small images in 1 000 folders, in one process. Right: its first step is "
        f"done and saved in less than {size.start_seconds:.0f} s, and the process takes less than "
        f"{size.start_megabytes:.0f} MB beyond one that has 100 of the images. `hf-ssl evaluate`, kNN and linear "
        f"probe, of {3 * size.classes} images in {size.classes} classes. Right: it ends within "
        f"{size.evaluated_seconds:.0f} s. {size.steps} steps of training in one process. Right: after the last step "
        f"it takes less than {size.growth_megabytes:.0f} MB more than after a tenth of them."
    )


@dataclass(frozen=True)
class Found:
    kind: str
    case: str
    measured: str
    wrong: str | None


def many_images(folder: Path, images: int, folders: int = 1000, different: int = 200, side: int = 20) -> Path:
    """Hard links of a few hundred files, as many in each folder."""
    from .runs import photos

    originals = sorted(photos(folder.with_name(f"{folder.name}-originals"), different, side).rglob("*.png"))
    for i in range(min(folders, images)):
        (folder / f"{i:05}").mkdir(parents=True)
    for i in range(images):
        os.link(originals[i % different], folder / f"{i % folders:05}" / f"{i}.png")
    return folder


def measured(line: list[str], folder: Path, until: Callable[[], bool] | None = None) -> tuple[float, float, str]:
    """
    Run `hf-ssl LINE` as a command of its own.

    Returns:
        `tuple[float, float, str]`: seconds until something is so, or until the end; the most megabytes that it took;
        what it printed.
    """
    command = commands.start(line, folder, real=True)
    began, reached, peak = time.monotonic(), None, 0.0
    while command.poll() is None and time.monotonic() < began + _PATIENCE:
        peak = max(peak, _megabytes(command.pids[0], "VmHWM"))
        if reached is None and until is not None and until():
            reached = time.monotonic() - began
        time.sleep(0.02)
    seconds = time.monotonic() - began
    if command.poll() != 0:
        command.kill()
        raise RuntimeError(f"{' '.join(line)} ended with {command.poll()}: {command.output('stderr')[-500:]}")
    return reached or seconds, peak, command.output("stdout")


def _megabytes(pid: int, name: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:")), 0.0)


def start(folder: Path, size: Size) -> Iterator[Found]:
    """Of many images, beside few."""
    figures = {}
    for images in (100, size.images):
        data = many_images(folder / f"images-{images}", images)
        out = folder / f"run-{images}"
        line = [*("pretrain", "simclr", "--data", data, "--output-dir", out, "--image-size", 16)]
        line += ["--backbone", "vit-nano", "--max_steps", 1, "--save_steps", 1, "--per_device_train_batch_size", 8]
        line += ["--use_cpu", "--dataloader_num_workers", 0, "--no-evaluate", "--eval_strategy", "no"]
        first = out / "checkpoints" / "checkpoint-1"
        figures[images] = measured([str(word) for word in line], folder, first.is_dir)
    (seconds, most, _), (few_seconds, fewest, _) = figures[size.images], figures[100]
    wrong = None
    if seconds > size.start_seconds or most - fewest > size.start_megabytes:
        wrong = f"It took {seconds:.1f} s and {most - fewest:.0f} MB beyond the small run."
    few = f"100 images, which take {few_seconds:.1f} s and {fewest:.0f} MB"
    text = f"{seconds:.1f} s, {most - fewest:.0f} MB beyond {few}"
    yield Found("start", f"{size.images} images", text, wrong)


def evaluation(folder: Path, size: Size) -> Iterator[Found]:
    """Of an untrained encoder on many classes."""
    from transformers import AutoModel, ViTConfig
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    config = ViTConfig(
        hidden_size=96, num_hidden_layers=2, num_attention_heads=3, intermediate_size=192, image_size=16, patch_size=4
    )
    AutoModel.from_config(config).save_pretrained(folder / "encoder")
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder / "encoder")
    data = many_images(folder / "classes", 3 * size.classes, size.classes, different=500)
    report = folder / "report.json"
    line = ["evaluate", str(folder / "encoder"), "--data", str(data), "--json-file", str(report)]
    seconds, most, said = measured(line, folder)
    wrong = None
    if seconds > size.evaluated_seconds:
        wrong = f"It took {seconds:.0f} s."
    elif not {"knn", "linear"} <= json.loads(report.read_text(encoding="utf-8"))["rows"][-1].keys():
        wrong = f"kNN or the linear probe is missing: {said[-300:]}"
    yield Found("evaluation", f"{size.classes} classes", f"{seconds:.0f} s, {most:.0f} MB", wrong)


def memory(folder: Path, size: Size) -> Iterator[Found]:
    """Of long runs, side by side."""
    kinds = {"images in memory": "memory", "images read from files at every step": "files"}
    variables = {**os.environ, **commands.ONE_THREAD}
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-m", "tests.faults.long_run", kind, str(size.steps), str(folder / kind)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables,
        )
        for name, kind in kinds.items()
    }  # fmt: skip
    for name, process in processes.items():
        out, err = process.communicate(timeout=2 * _PATIENCE)
        if process.returncode:
            yield Found("memory", name, "", f"It ended with {process.returncode}: {err[-500:]}")
            continue
        figures = json.loads(out.splitlines()[-1])
        early, late = figures[0], figures[-1]
        wrong = None if late - early < size.growth_megabytes else f"It grew by {late - early:.1f} MB: {figures}."
        text = f"{late - early:+.1f} MB from step {size.steps // 10} to step {size.steps}, of {early:.0f} MB"
        yield Found("memory", f"{size.steps} steps, {name}", text, wrong)


def try_them(size: Size, which: tuple[str, ...] = ("start", "evaluation", "memory")) -> Iterator[Found]:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with tempfile.TemporaryDirectory(prefix="load-") as place:
        for name in which:
            try:
                yield from {"start": start, "evaluation": evaluation, "memory": memory}[name](Path(place), size)
            except (OSError, RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
                yield Found(name, "all of it", "", f"It could not be measured: {error}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/reliability/load.json"))
    parser.add_argument("--only", choices=("start", "evaluation", "memory"), nargs="*")
    parser.add_argument("--short", action="store_true", help="A tenth of it.")
    asked = parser.parse_args()
    from .report import Report

    size = Size(10_000, 60.0, classes=500, steps=400) if asked.short else Size()
    report = Report(asked.out, TITLE, what(size), COMMAND)
    for found in try_them(size, tuple(asked.only or ("start", "evaluation", "memory"))):
        report.add(f"{found.kind}: {found.case}", found.case, found.wrong, measured=found.measured)
        print(f"       {found.measured}", flush=True)
    return int(report.finish() > 0)


if __name__ == "__main__":
    sys.exit(main())
