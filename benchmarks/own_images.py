"""
The bare command on the embedded patches and on one's own images: what it found out, and how long it took.

    apt-get install tuxpaint-stamps-default   # the first folder
    python benchmarks/own_images.py

The data are `photo-patches`, which `hf-ssl pretrain` takes by itself, `photo-patches-color`, and three folders:
`stamps` (some 800 drawings and photographs in nested folders, most of them with transparent parts), `flat` (60 of them
side by side, without labels, one broken) and `crops` (20 000 cut-outs of 40 to 200 pixels of the 16 photographs inside
the scikit-image wheel; left halves to train, right halves to test). Each run is `hf-ssl pretrain --data IMAGES` and a
seed. Results go one by one to `benchmarks/own_images.json`; a run that is there is not run again. The page
beside it is written from them.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from pages import lines_of, put_into_page

from hf_ssl.data.photo_patches import PHOTOS, _photo

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "own_images.json"
STAMPS = Path("/usr/share/tuxpaint/stamps")
CROPS = {"train": 1000, "test": 250}  # of each photograph
SIDES = (40, 200)


def stamps(folder: Path) -> None:
    if not STAMPS.is_dir():
        raise SystemExit("The stamps are missing: apt-get install tuxpaint-stamps-default")
    shutil.copytree(STAMPS, folder)


def flat(folder: Path) -> None:
    folder.mkdir(parents=True)
    files = sorted(STAMPS.rglob("*.png"))
    for number, file in enumerate(files[:: len(files) // 60][:60]):
        shutil.copy(file, folder / f"{number:02}-{file.name}")
    (folder / "broken.jpg").write_bytes(b"not an image")


def crops(folder: Path) -> None:
    generator = np.random.default_rng(0)
    for name in PHOTOS:
        photo = _photo(name, "RGB")
        width, height = photo.size
        for split, count in CROPS.items():
            place = folder / split / name
            place.mkdir(parents=True)
            left, right = (0, width // 2) if split == "train" else (width // 2, width)
            for number in range(count):
                w, h = (int(generator.integers(SIDES[0], min(SIDES[1], most) + 1)) for most in (right - left, height))
                x, y = int(generator.integers(left, right - w + 1)), int(generator.integers(0, height - h + 1))
                photo.crop((x, y, x + w, y + h)).save(place / f"{number}.jpg", quality=92)


EMBEDDED = ("photo-patches", "photo-patches-color")
FOLDERS = dict.fromkeys(EMBEDDED) | {"stamps": stamps, "flat": flat, "crops": crops}


def run(data: Path | str, seed: int, output: Path) -> dict:
    command = [sys.executable, "-m", "hf_ssl", "pretrain", "--data", str(data), "--output-dir", str(output)]
    started = time.monotonic()
    done = subprocess.run([*command, "--seed", str(seed)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    results = json.loads((output / "results.json").read_text(encoding="utf-8"))
    return {
        "seconds": round(time.monotonic() - started),
        "run": results["run"],
        "evaluation": results["evaluation"],
        "said": [line for line in done.stdout.splitlines() if not line.startswith("step ")],
    }


def table(runs: dict[str, dict]) -> str:
    head = ["images", "kNN, %", "linear, %", "random init: kNN", "raw pixels: kNN", "steps", "minutes in all", "seeds"]
    columns = (("this encoder", "knn"), ("this encoder", "linear"), ("random init", "knn"), ("raw pixels", "knn"))
    rows = []
    for name in FOLDERS:
        found = {key.rpartition("-")[2]: value for key, value in runs.items() if key.rpartition("-")[0] == name}
        if not found:
            continue
        scores = [
            [
                row[score]
                for r in found.values()
                if r["evaluation"]
                for row in r["evaluation"]["rows"]
                if row["name"] == of
            ]
            for of, score in columns
        ]
        steps, minutes = [r["run"]["steps"] for r in found.values()], [r["seconds"] / 60 for r in found.values()]
        rows.append([name, *map(spread, [*scores, steps, minutes]), ", ".join(found)])
    return "\n".join(lines_of(head, rows, ("images", "seeds"))) + "\n"


def write(runs: dict[str, dict]) -> None:
    RESULTS.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    said = "\n\n".join(f"`{key}`:\n\n```text\n{chr(10).join(run['said'])}\n```" for key, run in runs.items())
    text = f"# The bare command\n\n{__doc__.strip()}\n\n{table(runs)}\n## What the runs said\n\n{said}\n"
    RESULTS.with_suffix(".md").write_text(text, encoding="utf-8")
    put_into_page("own-images", table(runs))


def spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    if not values:
        return ""
    return f"{statistics.mean(values):.1f}" + (f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folders", nargs="+", choices=FOLDERS, default=list(FOLDERS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--work", type=Path, default=Path("own-images"), help="where folders and runs go")
    args = parser.parse_args()
    runs = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    for seed in args.seeds:
        for name in args.folders:
            data = name if name in EMBEDDED else args.work / name
            if name not in EMBEDDED and not data.is_dir():
                FOLDERS[name](data)
            key = f"{name}-{seed}"
            if key in runs:
                continue
            runs[key] = run(data, seed, args.work / "runs" / key)
            write(runs)
            print(key, runs[key]["seconds"], "s", (runs[key]["evaluation"] or {}).get("rows"), flush=True)


if __name__ == "__main__":
    main()
