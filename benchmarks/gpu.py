"""
One GPU: are views and losses those of the CPU, how long do views take, how fast is a step of every method, and what
is left of it when the images are JPEG files.

    python benchmarks/gpu.py --out DIR [--minutes 7] [--smoke]

Rows come in the order of their importance, and what no longer fits into the minutes is named as left out. Everything
found is written to `gpu.json` and `gpu.md` after each row, so that nothing is lost when the machine is. `--smoke`
takes tiny encoders and few images, and runs without a GPU too, where the kernels of the views are left out.
"""

import argparse
import faulthandler
import io
import json
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import torch
from end_to_end import Clock
from pages import lines_of
from photographs import photographs
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode
from transformers import ResNetConfig, ViTConfig
from transformers.modeling_layers import GradientCheckpointingLayer

from hf_ssl import DinoImageProcessor, SimCLRImageProcessor, SSLTrainer, SSLTrainingArguments
from hf_ssl.backbones import backbone_config
from hf_ssl.data.adapt import as_image_dataset
from hf_ssl.registry import METHODS
from hf_ssl.training.memory import channels_last_pays
from hf_ssl.utils.packed_images import PackedImages

GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")
TINY = {
    "vit-small": lambda size: ViTConfig(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96, image_size=size, patch_size=8
    ),
    "resnet-50": lambda size: ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic"
    ),
}
# What tells a method's tensors of views from its other arguments.
VIEWS = ("pixel_values", "local_pixel_values", "student_pixel_values", "jigsaw_pixel_values")
CROPS = {"dino", "swav", "deepcluster_v2", "obow", "infomin"}  # those with more than two large views
# Fields of small heads.
SMALL = {"projection_sizes": [32, 16], "prediction_sizes": [32, 16], "queue_length": 64, "num_prototypes": 64}
SMALL |= {"head_sizes": [32, 16], "decoder_num_hidden_layers": 1, "decoder_hidden_size": 64, "vocabulary_size": 64}
SMALL |= {"decoder_intermediate_size": 128, "decoder_num_attention_heads": 2}
SMALL |= {"student_drop_path_rate": 0.0}  # the CPU and the device would draw other layers
SMALL_OF = {"simsiam": {"projection_sizes": [32, 32, 16], "prediction_size": 8}}
SMALL_OF |= {"deepcluster_v2": {"num_prototypes": [8, 6, 7]}, "obow": {"kappa": 1.0}}
LAST = ("infomin", "obow")  # their views are made one by one
FIRST = [("simclr", "vit-small"), ("mae", "vit-small"), ("dino", "vit-small"), ("simclr", "resnet-50")]


class Report:
    """What was found so far, printed and written at once."""

    def __init__(self, args: argparse.Namespace):
        self.args, self.began = args, time.perf_counter()
        self.values: dict = {"title": "One GPU", "command": f"python benchmarks/gpu.py --minutes {args.minutes:g}"}
        self.tables: dict[str, list[dict]] = {}
        self.notes: list[str] = []
        args.out.mkdir(parents=True, exist_ok=True)

    def seconds(self) -> float:
        return time.perf_counter() - self.began

    def left(self) -> float:
        return 60 * self.args.minutes - self.seconds()

    def row(self, table: str, **cells) -> None:
        self.tables.setdefault(table, []).append(cells)
        told = ", ".join(
            f"{k} {v:,.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in cells.items() if k != "top"
        )
        print(f"[{self.seconds():5.0f} s] {table}: {told}", flush=True)
        self.write()

    def note(self, text: str) -> None:
        self.notes.append(text)
        print(f"[{self.seconds():5.0f} s] {text}", flush=True)
        self.write()

    def write(self) -> None:
        value = self.values | {"tables": self.tables, "notes": self.notes, "seconds": round(self.seconds())}
        (self.args.out / "gpu.json").write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
        lines = [f"# {value['title']}", "", f"`{value['command']}`", ""]
        lines += [f"{name}: {text}." for name, text in self.values.items() if name not in ("title", "command")]
        for name, rows in self.tables.items():
            head = list(dict.fromkeys(k for row in rows for k in row if k != "top"))
            lines += ["", f"## {name}", "", *lines_of(head, [[_cell(row.get(k, "")) for k in head] for row in rows])]
        lines += ["", *(f"- {note}" for note in self.notes)]
        (self.args.out / "gpu.md").write_text("\n".join(lines) + "\n", encoding="utf-8")

    @contextmanager
    def part(self, name: str, needs: float = 0):
        """What fails inside is noted, with where; the next part goes on. It is left out when time is short."""
        if self.left() < needs:
            self.note(f"left out for want of time: {name}")
            yield False
            return
        faulthandler.dump_traceback_later(75)  # where it hangs, if it does
        try:
            yield True
        except Exception as error:
            where = "".join(traceback.format_exception(error)[-3:])
            self.note(f"FAILED {name}: {type(error).__name__}: {str(error)[:500]}")
            print(where, flush=True)
            self.values.setdefault("errors", {})[name] = where[-3000:]
        faulthandler.cancel_dump_traceback_later()
        if GPU:
            torch.cuda.empty_cache()


def _cell(value) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)


def synchronize() -> None:
    if GPU:
        torch.cuda.synchronize()


def seconds_of(function: Callable[[], object], repeats: int) -> float:
    """Median seconds of a call, waited for."""
    taken = []
    for _ in range(repeats):
        synchronize()
        started = time.perf_counter()
        function()
        synchronize()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def kernels_of(function: Callable[[], object]) -> tuple[int, float, dict[str, float]]:
    """How many kernels and copies a call starts, the ms that they take, and the ten names that take most."""
    if not GPU:
        return 0, 0.0, {}
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profiler:
        function()
        torch.cuda.synchronize()
    total: dict[str, float] = {}
    count = 0
    for event in profiler.events():
        if event.device_type.name == "CUDA":
            count += 1
            total[event.name] = total.get(event.name, 0.0) + event.time_range.elapsed_us() / 1e3
    most = sorted(total.items(), key=lambda item: -item[1])[:10]
    return count, sum(total.values()), {name[:90]: round(ms, 3) for name, ms in most}


def matrix_rate(side: int) -> float:
    """TFLOP a second of one large product."""
    x = torch.randn(side, side, device=DEVICE, dtype=torch.bfloat16 if GPU else torch.float32)
    x @ x
    return 2 * side**3 / seconds_of(lambda: x @ x, 10) / 1e12


def copy_rate(megabytes: int) -> float:
    """TB a second of a copy on the device, bytes read and written."""
    x = torch.randint(0, 255, (megabytes * 2**20,), dtype=torch.uint8, device=DEVICE)
    y = torch.empty_like(x)
    y.copy_(x)
    return 2 * x.numel() / seconds_of(lambda: y.copy_(x), 10) / 1e12


def various(count: int, low: int, high: int) -> list[torch.Tensor]:
    """Photographs of various sizes between two sides, stored pixel by pixel as a decoder leaves them."""
    generator = torch.Generator().manual_seed(0)
    few = photographs(min(count, 14), high).permute(0, 2, 3, 1).contiguous()
    sides = torch.randint(low, high + 1, (count, 2), generator=generator).tolist()
    return [few[i % len(few), :h, :w].contiguous().permute(2, 0, 1) for i, (h, w) in enumerate(sides)]


def small(method: str, size: int, backbone: str = "vit-small"):
    """A model with little encoder and heads, and its processor, for comparisons."""
    known = {field.name for field in fields(METHODS[method].config_class)}
    values = {name: value for name, value in SMALL.items() if name in known} | SMALL_OF.get(method, {})
    return build(method, TINY[backbone](size), size, 64, values)


def build(method: str, native, size: int, images: int, values: dict | None = None):
    """A model in training, and the processor that makes its views."""
    row = METHODS[method]
    torch.manual_seed(0)
    model = row.pretraining_class(row.config_class(backbone_config=native, **(values or {}))).train()
    model.size_for(max(images, 1))
    pixels = {"size": {"shortest_edge": size}, "crop_size": {"height": size, "width": size}}
    known = row.processor_class.view_attributes()
    local = max(size * 96 // 224 // 8 * 8, 16)
    if "patch_size" in known:
        pixels["patch_size"] = native.patch_size
    if "local_crop_size" in known:
        pixels["local_crop_size"] = local
    if size < 224:
        if "student_crop_size" in known:
            pixels |= {"student_crop_size": size // 2, "local_crop_size": size // 4, "local_source_size": size // 2}
            pixels |= {"local_jitter": 2, "local_crops": 2}
        if "jigsaw_size" in known:
            pixels |= {"jigsaw_size": 51, "jigsaw_patch_size": 16}
    return model, row.processor_class(**pixels)


def batch_of(method: str, processor, images, device: torch.device) -> dict:
    """A batch of training views, with what the method takes beside them."""
    views = dict(processor.views(image=images, generator=torch.Generator().manual_seed(0)))
    count = len(images)
    extras = {"labels": torch.arange(count) % 2, "sample_index": torch.arange(count)}
    named = METHODS[method].pretraining_class.data_columns
    return {k: v.to(device) for k, v in (views | {name: extras[name] for name in named}).items()}


class Step:
    """What the Trainer does with a batch."""

    def __init__(self, model, compiled: bool = False):
        self.model = model
        if compiled:
            compile_layers(model)
        parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=GPU)
        self.done = 0

    def __call__(self, batch: dict) -> None:
        self.model.on_step_begin(self.done, 1000)
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=GPU):
            loss = self.model(**batch).loss
        loss.backward()
        self.model.before_optimizer_step(self.done, 1000)
        self.optimizer.step()
        self.model.after_optimizer_step(self.done, 1000)
        self.optimizer.zero_grad()
        self.done += 1


def compile_layers(model) -> None:
    """Each layer of a transformer by itself; a convolutional encoder as a whole."""
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    for module in layers or [model.backbone]:
        module.compile(dynamic=False)


def step_row(report: Report, method: str, backbone: str, size: int, batch: int, compiled: bool, rate: float) -> None:
    """One row of the table of steps."""
    torch.compiler.reset()
    images = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8, device=DEVICE)
    native = backbone_config(backbone, size)
    if report.args.smoke:
        model, processor = small(method, size, backbone) if backbone in TINY else build(method, native, size, 64)
    else:
        model, processor = build(method, native, size, 65536)
    model.to(DEVICE)
    if channels_last_pays(model, processor.largest_view, DEVICE):
        model.to(memory_format=torch.channels_last)
    views = batch_of(method, processor, images, DEVICE)
    del images
    count = sum(v.shape[1] if v.ndim == 5 else 1 for k, v in views.items() if k in VIEWS)
    with FlopCounterMode(display=False) as counter, torch.autocast(DEVICE.type, torch.bfloat16, enabled=GPU):
        model(**views).loss.backward()
    flops = counter.get_total_flops()
    step = Step(model, compiled)
    started = time.perf_counter()
    step(views)
    synchronize()
    first = time.perf_counter() - started
    for _ in range(3):
        step(views)
    if GPU:
        torch.cuda.reset_peak_memory_stats()
    repeats = 3 if report.args.smoke else 10
    synchronize()
    started = time.perf_counter()
    for _ in range(repeats):
        step(views)
    queued = (time.perf_counter() - started) / repeats
    synchronize()
    seconds = (time.perf_counter() - started) / repeats
    memory = torch.cuda.max_memory_allocated() / 2**30 if GPU else 0.0
    kernels, busy, top = kernels_of(lambda: step(views))
    report.row(
        "Steps",
        method=method,
        encoder=f"{backbone}, {size} px, batch {batch}",
        compiled="layers" if compiled else "no",
        **{
            "images/s": batch / seconds,
            "views/s": batch * count / seconds,
            "ms": 1e3 * seconds,
            "matrix rate, %": flops / seconds / rate / 1e10,
            "kernels": kernels,
            "device busy, ms": busy,
            "host, ms": 1e3 * queued,
            "peak, GiB": memory,
            "first step, s": first,
        },
        top=top,
    )


def views_equal(report: Report, size: int) -> None:
    """Views made on the device against those of the CPU."""
    images = [image.float() / 255 for image in various(16, 40 if report.args.smoke else 200, 400)]
    images = [image.contiguous() for image in images]
    pixels = {"size": {"shortest_edge": size}, "crop_size": {"height": size, "width": size}}
    for name, processor in (
        ("SimCLR", SimCLRImageProcessor(**pixels)),
        ("DINO", DinoImageProcessor(**pixels, local_crop_size=size // 16 * 8)),
    ):
        here = processor.views(image=images, generator=torch.Generator().manual_seed(3))
        there = processor.views(
            image=[image.to(DEVICE) for image in images], generator=torch.Generator().manual_seed(3)
        )
        for key, expected in here.items():
            off = (there[key].cpu() - expected).abs() * min(processor.image_std)  # of values in [0, 1]
            share = (off > 2e-3).float().mean().item()
            report.row(
                "Views on the device and on the CPU",
                views=f"{name}, {key}",
                **{"median": off.median().item(), "largest": off.max().item(), "above 0.002, %": 100 * share},
                right="yes" if share < 1e-3 else "NO",
            )


def views_time(report: Report, size: int, batch: int) -> None:
    """How long the views of a batch take, from images of many sizes and from a stack."""
    low, high = (48, 64) if report.args.smoke else (300, 500)
    packed = PackedImages.pack(various(batch, low, high)).to(DEVICE)
    middle = (low + high) // 2
    stacked = torch.stack([i.contiguous() for i in various(batch, middle, middle)]).to(DEVICE)
    pixels = {"size": {"shortest_edge": size}, "crop_size": {"height": size, "width": size}}
    simclr = SimCLRImageProcessor(**pixels)
    dino = DinoImageProcessor(**pixels, local_crop_size=max(size * 96 // 224, 8), local_crops=8)
    generator = torch.Generator().manual_seed(0)
    cases = [("SimCLR", simclr, packed, "many sizes"), ("SimCLR", simclr, stacked, "one size")]
    cases.append(("DINO 2 + 8", dino, packed, "many sizes"))
    for name, processor, images, kind in cases:
        processor.views(image=images, generator=generator)
        seconds = seconds_of(
            lambda p=processor, i=images: p.views(image=i, generator=generator), 3 if report.args.smoke else 20
        )
        synchronize()
        started = time.perf_counter()
        processor.views(image=images, generator=generator)
        queued = time.perf_counter() - started
        kernels, busy, top = kernels_of(lambda p=processor, i=images: p.views(image=i, generator=generator))
        count = batch * sum(len(policies) for policies in processor.policies().values())
        report.row(
            "Views",
            policy=f"{name}, {size} px",
            images=kind,
            **{"views": count, "ms": 1e3 * seconds, "host, ms": 1e3 * queued, "kernels": kernels},
            **{"device busy, ms": busy, "views/s": count / seconds},
            top=top,
        )


def losses_equal(report: Report) -> None:
    """One step of every method on the device and on the CPU, in float32."""
    exact = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    for method in METHODS:
        with report.part(f"loss of {method}"):
            model, processor = small(method, 64)
            images = torch.randint(
                0, 256, (8, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
            )
            batch = batch_of(method, processor, images, torch.device("cpu"))
            found = []
            state = {k: v.clone() for k, v in model.state_dict().items()}
            for device in (torch.device("cpu"), DEVICE):
                model.load_state_dict(state)
                model.to(device)
                model.zero_grad()
                model.on_step_begin(0, 100)
                torch.manual_seed(0)
                loss = model(**{k: v.to(device) for k, v in batch.items()}).loss
                loss.backward()
                grads = [p.grad.double().square().sum().item() for p in model.parameters() if p.grad is not None]
                found.append((loss.item(), sum(grads) ** 0.5))
            (here, slope), (there, slope_there) = found
            off = abs(here - there) / max(abs(here), 1e-6)
            off_slope = abs(slope - slope_there) / max(slope, 1e-6)
            right = "yes" if off < 1e-4 and off_slope < 1e-3 else "NO"
            cells = {"loss": here, "on the device": there, "relative": off, "gradient norm, relative": off_slope}
            report.row("Losses on the device and on the CPU", method=method, **cells, right=right)
    torch.backends.cudnn.allow_tf32 = exact


class WaitingTrainer(SSLTrainer):
    """Counts the seconds that the process waits for its data, from the step that the clock starts at."""

    waited, start = 0.0, 0

    def get_batch_samples(self, *args, **kwargs):
        began = time.perf_counter()
        batches = super().get_batch_samples(*args, **kwargs)
        if self.state.global_step >= self.start:
            self.waited += time.perf_counter() - began
        return batches


def end_to_end(report: Report, backbone: str, size: int, batch: int, compiled: bool, alone: float) -> None:
    """SimCLR from JPEG files in memory through the Trainer."""
    smoke = report.args.smoke
    contents = []
    for image in various(8 if smoke else 256, 48 if smoke else 300, 64 if smoke else 500):
        file = io.BytesIO()
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=90)
        contents.append(file.getvalue())
    warm_up, steps = (2, 4) if smoke else (15, 40)
    data = as_image_dataset(contents * (batch * (4 if smoke else 24) // len(contents)))
    native = TINY[backbone](size) if smoke else backbone_config(backbone, size)
    model, processor = build("simclr", native, size, len(data))
    if compiled:
        compile_layers(model)
    clock = Clock(warm_up, GPU)
    arguments = SSLTrainingArguments(
        tempfile.mkdtemp(),
        max_steps=warm_up + steps,
        per_device_train_batch_size=batch,
        dataloader_num_workers=report.args.workers,
        dataloader_pin_memory=GPU,
        dataloader_persistent_workers=report.args.workers > 0,
        dataloader_prefetch_factor=4 if report.args.workers else None,
        bf16=GPU,
        save_strategy="no",
        disable_tqdm=True,
        logging_steps=20,
    )
    trainer = WaitingTrainer(model, arguments, processor, data, callbacks=[clock])
    trainer.start = warm_up
    trainer.train()
    rate = steps * batch / clock.seconds
    idle = clock.idle() if GPU else {}
    report.row(
        "End to end",
        encoder=f"SimCLR, {backbone}, {size} px, batch {batch}",
        compiled="layers" if compiled else "no",
        **{"images/s": rate, "of the step alone, %": 100 * rate / alone if alone else 0.0},
        **{"data wait, %": 100 * trainer.waited / clock.seconds, "workers": report.args.workers},
        **{"idle, %": idle.get("idle, %", 0.0)},
        top={k: v for k, v in idle.items() if k != "idle, %"},
    )


def rate_of(report: Report, method: str, encoder: str, compiled: bool) -> float:
    """Images a second of a row that was measured; 0 if it was not."""
    for row in report.tables.get("Steps", ()):
        if (row["method"], row["compiled"] != "no") == (method, compiled) and row["encoder"].startswith(encoder):
            return row["images/s"]
    return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=7.0)
    parser.add_argument("--workers", type=int, default=14 if GPU else 2)
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args()
    report, smoke = Report(args), args.smoke
    if not GPU and not smoke:
        sys.exit("There is no CUDA device here: only --smoke runs without one.")
    versions = ", ".join(f"{p} {version(p)}" for p in ("torch", "transformers", "huggingface_hub", "accelerate"))
    report.values["machine"] = torch.cuda.get_device_name() if GPU else "no GPU"
    report.values["versions"] = versions + (f", CUDA {torch.version.cuda}" if GPU else "")
    print(report.values["machine"], report.values["versions"], flush=True)
    if not GPU:
        report.note("no GPU: kernels, memory and idle time are left out, and views are those of the CPU")
    rate = 1.0
    with report.part("the rates of the device"):
        rate = matrix_rate(8192 if GPU else 512)
        report.row("Device", **{"matrix product, TFLOP/s": rate, "copy, TB/s": copy_rate(1024 if GPU else 16)})
    size, batch = (64, 8) if smoke else (224, 256)
    with report.part("views on the device and on the CPU") as go:
        if go:
            views_equal(report, 64 if smoke else 224)
    with report.part("views") as go:
        if go:
            views_time(report, size, batch)
    crops = 8 if smoke else 128

    def steps(method: str, backbone: str, compiled: bool, needs: float, size: int = size, images: int = 0) -> None:
        name = f"step of {method}, {backbone}{', compiled' * compiled}"
        with report.part(name, 0 if smoke else needs) as go:
            if go:
                step_row(
                    report, method, backbone, size, images or (crops if method in CROPS else batch), compiled, rate
                )

    for method, backbone in FIRST[:3]:
        for compiled in (False, True):
            if not compiled or (method == "simclr" and GPU) or not smoke:
                steps(method, backbone, compiled, 60)
    with report.part("end to end", 0 if smoke else 60) as go:
        if go:
            compiled = rate_of(report, "simclr", "vit-small", True) > rate_of(report, "simclr", "vit-small", False)
            end_to_end(report, "vit-small", size, batch, compiled, rate_of(report, "simclr", "vit-small", compiled))
    steps("simclr", "resnet-50", False, 40)
    for compiled in (False,) if smoke else (False, True):
        steps("simclr", "vit-micro", compiled, 40, 28, 16 if smoke else 2048)
    with report.part("losses") as go:
        if go:
            losses_equal(report)
    if not smoke:
        steps("simclr", "resnet-50", True, 60)
        for method in ("supervised", "byol", "swav"):
            steps(method, "vit-small", True, 45)
    for method in sorted(METHODS, key=LAST.__contains__):
        for backbone in ("vit-small", "resnet-50"):
            done = (method, backbone) in FIRST or (method, backbone) == ("mae", "resnet-50")
            if not done and (not smoke or backbone == "vit-small"):
                steps(method, backbone, False, 15)
    report.note(f"done after {report.seconds():.0f} s")
    print((args.out / "gpu.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
