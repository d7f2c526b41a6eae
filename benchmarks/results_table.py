"""
Every method with the same encoder, data, epochs and seeds: the table of the DINO paper (arXiv:2104.14294, table 2).

    python benchmarks/results_table.py --backbone vit-nano --epochs 4 --jobs 2

Each run is `hf-ssl pretrain METHOD` with the method's own recipe, for `--epochs` if given, then the evaluation of what
it exported. Results go one by one to `benchmarks/results/DATA-BACKBONE[-N-epochs].json`, and a run that is there is
not run again: stop and start the command at will. The table is written beside it as Markdown, and into the page that
has a place for it; with `--cards`, one `model_cards/METHOD.md` from the run with the median kNN too.
"""

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from pages import lines_of, put_into_page
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, AutoModelForPreTraining

from hf_ssl.data import Data, load_data
from hf_ssl.evaluation import evaluate_encoder
from hf_ssl.hub import PRETRAINING, build_card
from hf_ssl.hub.card.sections import CAPTIONS
from hf_ssl.registry import METHODS, Method

ROOT = Path(__file__).parents[1]
SCORES = ("knn", "linear")
SETTINGS = ("data", "backbone", "epochs", "jobs", "threads")


class Table:
    """The runs that have finished, on disk after each."""

    def __init__(self, args: argparse.Namespace):
        self.settings = {name: vars(args)[name] for name in SETTINGS}
        budget = f"-{args.epochs:g}-epochs" if args.epochs else ""
        self.name = f"{Path(args.data).name}-{Path(args.backbone).name}{budget}"
        self.path = ROOT / "benchmarks" / "results" / f"{self.name}.json"
        self.folder = args.runs / self.name
        self.lock = threading.Lock()
        self.runs: dict[str, dict] = {}
        if self.path.is_file():
            before = json.loads(self.path.read_text(encoding="utf-8"))
            if before["settings"] != self.settings:
                raise SystemExit(f"{self.path} was made with {before['settings']}: move it away first.")
            self.runs = before["runs"]
        self.data: dict[int, Data] = {}
        self.baselines: dict[tuple, list] = {}

    def run(self, method: Method, seed: int) -> None:
        key = f"{method.name}-{seed}"
        if key in self.runs:
            return
        folder = self.folder / key
        if not (folder / "results.json").is_file():
            command = [sys.executable, "-m", "hf_ssl", "pretrain", method.name, "--output-dir", str(folder)]
            command += ["--data", self.settings["data"], "--backbone", self.settings["backbone"]]
            command += ["--seed", str(seed), "--data-seed", str(seed)]
            command += ["--eval_strategy", "no", "--disable_tqdm", "true", "--no-evaluate"]
            epochs = self.settings["epochs"] or method.recipes["small"].training["num_train_epochs"]
            command += ["--recipe", "small", "--num_train_epochs", f"{epochs:g}"]  # whatever time it takes
            environment = {**os.environ, "OMP_NUM_THREADS": str(self.settings["threads"])}
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                print(f"{key}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr, flush=True)
                return
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        run, report = results["run"], results["evaluation"] or self.evaluate(folder, seed)
        with self.lock:
            self.runs[key] = {"run": run, "evaluation": report}
            self.save()
        scores = {row["name"]: row["knn"] for row in report["rows"]}
        print(f"{key}: {scores}, {run['seconds']:.0f} s", flush=True)

    def evaluate(self, folder: Path, seed: int) -> dict:
        """What `hf-ssl pretrain` would report of the encoder; what does not depend on the method is computed once."""
        encoder, processor = AutoModel.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder)
        kind = (type(encoder).__name__, getattr(encoder.config, "initializer_range", None), seed)
        with self.lock:  # the second one to come waits for the data and the baselines of the first
            if seed not in self.data:
                self.data[seed] = load_data(self.settings["data"], seed=seed)
            arguments = (encoder, processor, self.data[seed].train, self.data[seed].test)
            if kind not in self.baselines:
                report = evaluate_encoder(*arguments, seed=seed)
                self.baselines[kind] = report.rows[:-1]
                return report.to_dict()
        report = evaluate_encoder(*arguments, seed=seed, baselines=False)
        return dataclasses.replace(report, rows=[*self.baselines[kind], *report.rows]).to_dict()

    def of_method(self, name: str) -> dict[int, dict]:
        """Results by seed."""
        return {int(k.rpartition("-")[2]): v for k, v in self.runs.items() if k.rpartition("-")[0] == name}

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows = [row(METHODS[name], self.of_method(name)) for name in METHODS if self.of_method(name)]
        value = {"settings": self.settings, "rows": rows, "runs": dict(sorted(self.runs.items()))}
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
        part.replace(self.path)
        self.path.with_suffix(".md").write_text(markdown(value), encoding="utf-8")
        put_into_page(self.name, summary_table(value))


def summary(values: list[float]) -> dict[str, float]:
    """Mean and sample standard deviation (0 for a single value)."""
    return {"mean": statistics.mean(values), "std": statistics.stdev(values) if len(values) > 1 else 0.0}


def row(method: Method, runs: dict[int, dict]) -> dict:
    """One row of the table, from the results of every seed."""
    first = next(iter(runs.values()))["run"]
    facts = {name: first[name] for name in ("batch_size", "steps", "parameters", "versions")}
    scores = {}
    for name, prefix in (("this encoder", ""), ("random init", "random_"), ("raw pixels", "raw_")):
        rows = [next(r for r in run["evaluation"]["rows"] if r["name"] == name) for run in runs.values()]
        scores |= {prefix + score: summary([r[score] for r in rows]) for score in SCORES}
    fastest = max((run["run"] for run in runs.values()), key=lambda run: run["images_per_second"])
    costs = {name: fastest[name] for name in ("images_per_second", "seconds", "hardware")}
    doctor = sorted({finding for run in runs.values() for finding in run["run"]["doctor"]})
    return {"method": method.name, "seeds": sorted(runs), **scores, **costs, **facts, "doctor": doctor}


def ordered(table: dict) -> list[dict]:
    """Rows as they are shown: the supervised one first, then by kNN."""
    return sorted(table["rows"], key=lambda r: (r["method"] != "supervised", -r["knn"]["mean"]))


def scores(r: dict, *keys: str) -> list[str]:
    """Mean ± standard deviation."""
    return [f"{r[key]['mean']:.1f} ± {r[key]['std']:.1f}" for key in keys]


SHOWN = ["method", "kNN", "linear", "random init: kNN", "linear", "weights, M", "steps", "seeds"]
COSTS = ["images/s", "s", "on"]


def cells_of(r: dict) -> list[str]:
    """What `SHOWN` names."""
    method = METHODS[r["method"]]
    accuracies = scores(r, "knn", "linear", "random_knn", "random_linear")
    facts = [f"{r['parameters'] / 1e6:.2f}", str(r["steps"]), ", ".join(map(str, r["seeds"]))]
    return [f"[{method.info.title}](https://arxiv.org/abs/{method.info.paper})", *accuracies, *facts]


def summary_table(table: dict, costs: bool = False) -> str:
    """The table as the pages show it or, with `costs`, with time and machine too; raw pixels last."""
    rows = [cells_of(r) for r in ordered(table)]
    rows.append(["raw pixels", *scores(table["rows"][0], "raw_knn", "raw_linear"), *[""] * (len(SHOWN) - 3)])
    if costs:
        for cells, r in zip(rows, ordered(table), strict=False):
            cells += [f"{r['images_per_second']:.0f}", f"{r['seconds']:.0f}", r["hardware"]]
        rows[-1] += [""] * len(COSTS)
    return "\n".join(lines_of([*SHOWN, *(COSTS if costs else [])], rows, texts=("method", "on"))) + "\n"


def markdown(table: dict) -> str:
    """The page of the table."""
    settings = table["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in table["rows"][0]["versions"].items())
    command = " ".join(f"--{name} {settings[name]}" for name in SETTINGS if settings[name])
    budget = f"{settings['epochs']:g} epochs" if settings["epochs"] else "each method's own recipe"
    lines = [
        f"# {settings['data']}, {settings['backbone']}, {budget}",
        "",
        f"`python benchmarks/results_table.py {command}`, {versions}.",
        "",
        "Accuracy in percent of classifiers on the frozen embedding, mean ± standard deviation over the seeds; images "
        "a second (images, not views) and seconds are of training alone, in the fastest run.",
        "",
        summary_table(table, costs=True),
    ]
    return "\n".join(lines)


def write_card(method: Method, runs: dict[int, dict], folder: Path) -> None:
    """The card of the run with the median kNN, its results beside it, and small copies of its pictures."""
    by_knn = sorted(runs, key=lambda seed: runs[seed]["evaluation"]["rows"][-1]["knn"])
    seed = by_knn[len(by_knn) // 2]
    source, results, cards = folder / f"{method.name}-{seed}", runs[seed], ROOT / "model_cards"
    card = cards / f"{method.name}.md"
    if not source.is_dir():
        print(f"{source} is gone: no new card for {method.name}.", file=sys.stderr)
        return
    figures = []
    for name in CAPTIONS:
        if (source / "figures" / f"{name}.png").is_file():
            small = cards / "figures" / method.name / f"{name}.png"
            small.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(source / "figures" / f"{name}.png") as picture:
                picture = picture.convert("RGB")
            picture.thumbnail((800, 800))
            picture.quantize(48).save(small, optimize=True)
            figures.append(str(small.relative_to(cards)))
    text = build_card(
        method,
        AutoModelForPreTraining.from_pretrained(source, subfolder=PRETRAINING),
        AutoImageProcessor.from_pretrained(source, subfolder=PRETRAINING),
        results=results["evaluation"],
        run=results["run"],
        figures=figures,
        existing=card.read_text(encoding="utf-8") if card.is_file() else None,
    )
    card.write_text(text, encoding="utf-8")
    card.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--data", default="photo-patches", help="as for hf-ssl pretrain")
    parser.add_argument("--backbone", default="vit-nano", help="as for hf-ssl pretrain")
    parser.add_argument("--epochs", type=float, help="of every run; by default those of each method's recipe")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    # Masked images take other budgets, and only a ViT: by name.
    usual = [name for name, method in METHODS.items() if method.info.family != "masked images"]
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=usual)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--threads", type=int, default=1, help="of each run")
    parser.add_argument("--runs", type=Path, default=Path("hf-ssl-runs/results-table"), help="where the runs go")
    parser.add_argument("--cards", action="store_true", help="write model_cards/ too")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    table = Table(args)
    methods = [METHODS[name] for name in args.methods]
    with ThreadPoolExecutor(args.jobs) as pool:
        for done in [pool.submit(table.run, method, seed) for seed in args.seeds for method in methods]:
            done.result()
    if not table.runs:
        raise SystemExit("No run has finished.")
    table.save()
    print(f"\n{table.path.with_suffix('.md').read_text(encoding='utf-8')}")
    if args.cards:
        for method in methods:
            if table.of_method(method.name):
                write_card(method, table.of_method(method.name), table.folder)


if __name__ == "__main__":
    main()
