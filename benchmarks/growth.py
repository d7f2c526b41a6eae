"""
How time and memory grow: a step with pixels, batch, views, crops and prototypes; the rest with the number of images.

    python benchmarks/growth.py

Images of the second table are synthetic: sizes count here, not accuracy. Memory is the peak of the tensors that a call
makes; that of the stream is what the whole process holds after so many images.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import datasets
import numpy as np
import psutil
import torch
import torch.nn.functional as F
from alternating import page
from cached_chunks import PeakBytes, measure
from pages import lines_of
from PIL import Image

from hf_ssl.backbones import backbone_config
from hf_ssl.data import TensorImages, collate_samples
from hf_ssl.data.stream import HubStream
from hf_ssl.evaluation import knn_predict
from hf_ssl.evaluation.linear import fit_logistic
from hf_ssl.nn.kmeans import spherical_kmeans
from hf_ssl.registry import METHODS
from hf_ssl.training.memory import freed_memory_kept

DIM, CLASSES, QUERIES, CENTROIDS, BATCH, SIDE = 96, 10, 1000, 100, 64, 32
BUFFER = 1000
# What grows -> its values.
AXES = {
    "pixels (side)": (32, 64, 128, 224),
    "batch": (16, 64, 256, 1024),
    "views": (2, 4, 8, 16),
    "small crops": (0, 2, 4, 8),
    "prototypes": (1024, 4096, 16384, 65536),
}


def a_step(axis: str, value: int) -> tuple[str, int, float]:
    """What is measured, its peak bytes and its seconds."""
    crops = axis in ("small crops", "prototypes")
    name, backbone, size = "dino" if crops else "simclr", "vit-nano", SIDE
    batch, views, small, values = 16, 2, 0, {}
    if axis == "pixels (side)":
        backbone, size = "resnet-18", value
    elif axis == "batch":
        batch = value
    elif axis == "views":
        views = value
    elif axis == "small crops":
        small, values = value, {"num_prototypes": 1024}
    else:
        values = {"num_prototypes": value}
    row = METHODS[name]
    torch.manual_seed(0)
    model = row.pretraining_class(row.config_class(backbone_config=backbone_config(backbone, size), **values)).train()
    inputs = {"pixel_values": torch.randn(batch, views, 3, size, size)}
    if small:
        inputs["local_pixel_values"] = torch.randn(batch, small, 3, size // 2, size // 2)
    what = f"{row.info.title}, {backbone}, {axis}"
    return what, *measure(model, inputs, repeats=3)


def steps() -> Iterator[dict]:
    for axis, values in AXES.items():
        for value in values:
            what, peak, seconds = a_step(axis, value)
            yield {"what": what, "value": value, "ms": 1e3 * seconds, "MB": peak / 1e6}


def timed(function: Callable, *inputs: torch.Tensor) -> tuple[float, float]:
    """Seconds, and the peak of megabytes beside `inputs` in a call of its own, because counting costs time."""
    with PeakBytes(inputs) as memory:
        function()
    started = time.perf_counter()
    function()
    return time.perf_counter() - started, memory.peak / 1e6


def of_images(count: int, place: Path) -> Iterator[dict]:
    """What works on all images at once."""
    generator = torch.Generator().manual_seed(0)
    bank = F.normalize(torch.randn(count, DIM, generator=generator), dim=1)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    start = bank[: min(CENTROIDS, count)]
    array = np.lib.format.open_memmap(place / f"{count}.npy", "w+", np.uint8, (count, 3, SIDE, SIDE))
    images = TensorImages(torch.from_numpy(array), labels)
    chosen = torch.randint(count, (BATCH,), generator=generator).tolist()
    functions = {
        f"kNN, {QUERIES} queries": lambda: knn_predict(bank, labels, bank[:1].expand(QUERIES, -1), CLASSES, 20),
        "linear fit, L2 100": lambda: fit_logistic(bank, labels, CLASSES, 100.0),
        f"k-means, {len(start)} clusters, 10 rounds": lambda: spherical_kmeans(bank, start, 10),
        f"{BATCH} images of a memory map": lambda: collate_samples(images.__getitems__(chosen)),
    }
    for what, function in functions.items():
        seconds, peak = timed(function, bank, labels, images.images)
        yield {"what": what, "value": count, "ms": 1e3 * seconds, "MB": peak}


def stream(counts: list[int]) -> Iterator[dict]:
    """One pass over a shuffled stream of PNG files, stopped to look at `counts`."""
    noise, file = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8), io.BytesIO()
    Image.fromarray(noise).save(file, "png")

    def rows():
        for _ in range(max(counts) + BUFFER):
            yield {"image": {"bytes": file.getvalue(), "path": None}}

    features = datasets.Features({"image": datasets.Image()})
    source = datasets.IterableDataset.from_generator(rows, features=features)
    started = time.perf_counter()
    for seen, _ in enumerate(HubStream(source, shuffle_buffer=BUFFER), start=1):
        if seen in counts:
            seconds, held = time.perf_counter() - started, psutil.Process().memory_info().rss
            yield {"what": "stream", "value": seen, "ms": 1e3 * seconds, "MB": held / 1e6}
        if seen == max(counts):
            return


def lines(rows: list[dict]) -> list[str]:
    """A table, each figure also by the one before it for the same thing."""
    cells, before = [], None
    for row in rows:
        grown = [""] * 3
        if before is not None and before["what"] == row["what"] and before["value"]:
            grown = [f"{row[k] / before[k]:.2f}" for k in ("value", "ms", "MB")]
        cells.append([row["what"], f"{row['value']:,}", f"{row['ms']:,.1f}", f"{row['MB']:,.1f}", *grown])
        before = row
    return lines_of(["", "size", "ms", "MB", "size grew by", "time by", "memory by"], cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[10**n for n in range(2, 7)])
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    streamed = list(stream(args.images))  # first, while the process is small
    with freed_memory_kept():
        of_steps = list(steps())
    with tempfile.TemporaryDirectory() as name:
        of_counts = [row for count in args.images for row in of_images(count, Path(name))]
    of_counts = sorted(of_counts, key=lambda row: row["what"]) + streamed
    text = ["A training step, forward and backward:", "", *lines(of_steps), ""]
    text += [f"By the number of images (embeddings of {DIM} dimensions, {CLASSES} classes):", "", *lines(of_counts)]
    command = f"python benchmarks/growth.py --threads {args.threads}"
    values = {"steps": of_steps, "images": of_counts}
    page("growth", "How cost grows", command, ["torch", "hf_ssl", "datasets"], values, text)


if __name__ == "__main__":
    main()
