"""
Training as `SSLTrainer` does it, from JPEG files in memory to the optimizer, beside its step alone on views that are
there already: what the input costs.

    python benchmarks/end_to_end.py

SimCLR, two views. On a GPU: a ViT-S/16 in bfloat16, with the share of the time in which the device did nothing and its
longest gaps. The utilisation is that of the machine's rate for one large matrix product in the same precision.
"""

import argparse
import io
import tempfile
import time

import torch
from alternating import OURS, case, write
from photographs import photographs
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode
from transformers import TrainerCallback

from hf_ssl import SimCLRConfig, SimCLRForPreTraining, SimCLRImageProcessor, SSLTrainer, SSLTrainingArguments
from hf_ssl.backbones import backbone_config
from hf_ssl.data import collate_samples
from hf_ssl.data.adapt import as_image_dataset

# backbone, pixels of a view, images a step
CPU_CASES = [("vit-nano", 32, 64), ("resnet-18", 224, 16), ("vit-small", 224, 16)]
GPU_CASES = [("vit-small", 224, 256), ("resnet-50", 224, 256)]
ALONE, SIDE = "our step alone", 4096


def encoded(count: int, side: int) -> list[bytes]:
    """JPEG files, quality 90, of photographs: of `side` pixels up to 64, else 256."""
    contents = []
    for image in photographs(count, side if side <= 64 else 256):
        file = io.BytesIO()
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=90)
        contents.append(file.getvalue())
    return contents


class Clock(TrainerCallback):
    """Seconds from the end of step `start` to the end of the last one; a profile of the steps in between if asked."""

    def __init__(self, start: int, profile: bool = False):
        self.start, self.began, self.seconds = start, 0.0, 0.0
        self.profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) if profile else None

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step not in (self.start, state.max_steps):
            return
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        last, now = state.global_step == state.max_steps, time.perf_counter()
        if self.profiler is not None:
            (self.profiler.stop if last else self.profiler.start)()
        if last:
            self.seconds = now - self.began
        else:
            self.began = now

    def idle(self) -> dict[str, float]:
        """Share of the time in which no kernel ran, and the three longest gaps in ms, with the kernels after them."""
        kernels = sorted((e for e in self.profiler.events() if e.device_type.name == "CUDA"), key=_start)
        gaps, end = [], kernels[0].time_range.start
        for kernel in kernels:
            gaps.append((kernel.time_range.start - end, kernel.name))
            end = max(end, kernel.time_range.end)
        idle = sum(max(gap, 0) for gap, _ in gaps)
        longest = {f"ms before {name[:40]}": gap / 1e3 for gap, name in sorted(gaps)[-3:]}
        return {"idle, %": 100 * idle / (end - kernels[0].time_range.start), **longest}


def _start(event) -> float:
    return event.time_range.start


class Run:
    """One case: a model, its processor, and the arguments of its training."""

    def __init__(self, backbone: str, size: int, batch: int, args: argparse.Namespace):
        self.backbone, self.size, self.batch, self.args = backbone, size, batch, args
        pixels = {"size": {"shortest_edge": size}, "crop_size": {"height": size, "width": size}}
        self.processor = SimCLRImageProcessor(**pixels)
        self.data = as_image_dataset(encoded(4 * batch, size))

    def train(self, data, collator=None, profile: bool = False) -> tuple[float, Clock]:
        """Images a second after the warm-up."""
        torch.manual_seed(0)
        model = SimCLRForPreTraining(SimCLRConfig(backbone_config=backbone_config(self.backbone, self.size)))
        clock = Clock(self.args.warm_up, profile)
        with tempfile.TemporaryDirectory() as folder:
            arguments = SSLTrainingArguments(
                folder,
                max_steps=self.args.warm_up + self.args.steps,
                per_device_train_batch_size=self.batch,
                dataloader_num_workers=0 if collator else self.args.workers,
                dataloader_pin_memory=torch.cuda.is_available() and not collator,
                dataloader_persistent_workers=bool(self.args.workers) and not collator,
                bf16=torch.cuda.is_available(),
                torch_compile=self.args.compile,
                save_strategy="no",
                disable_tqdm=True,
                logging_steps=10**6,
            )
            trainer = SSLTrainer(model, arguments, self.processor, data, data_collator=collator, callbacks=[clock])
            trainer.train()
        return self.args.steps * self.batch / clock.seconds, clock

    def alone(self) -> float:
        """The same on one batch of views that lies on the device."""
        samples = self.data.__getitems__(list(range(self.batch)))
        device = "cuda" if torch.cuda.is_available() else "cpu"
        images = collate_samples(samples)["image"].to(device)
        views = dict(self.processor.views(image=images, generator=torch.Generator().manual_seed(0)))
        nothing = torch.utils.data.TensorDataset(torch.zeros(4 * self.batch))
        return self.train(nothing, lambda _: views)[0]

    def gflop(self) -> float:
        """Of a step, attention as plain products, which the counter knows."""
        native = backbone_config(self.backbone, self.size)
        native._attn_implementation = "eager"
        model = SimCLRForPreTraining(SimCLRConfig(backbone_config=native)).train()
        few = torch.randn(2, 2, 3, self.size, self.size)
        with FlopCounterMode(display=False) as counter:
            model(few).loss.backward()
        return counter.get_total_flops() / 1e9 * self.batch / 2


def matrix_rate() -> float:
    """GFLOP a second of one large product, in the precision that is trained in."""
    gpu = torch.cuda.is_available()
    x = torch.randn(SIDE, SIDE, device="cuda" if gpu else "cpu", dtype=torch.bfloat16 if gpu else torch.float)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        x @ x
        if gpu:
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * SIDE**3 / best / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warm-up", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=14 if torch.cuda.is_available() else 0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cases = []
    for backbone, size, batch in GPU_CASES if torch.cuda.is_available() else CPU_CASES:
        run, rates = Run(backbone, size, batch, args), {OURS: [], ALONE: []}
        for _ in range(args.rounds):
            rates[OURS].append(run.train(run.data)[0])
            rates[ALONE].append(run.alone())
        used = 100 * run.gflop() / batch * max(rates[OURS]) / matrix_rate()
        details = {"matrix rate, %": {"used": used}}
        if torch.cuda.is_available():
            details["device"] = run.train(run.data, profile=True)[1].idle()
        cases.append(case(f"SimCLR, {backbone}, {size} px, batch {batch}", rates, details=details))
    command = f"python benchmarks/end_to_end.py --steps {args.steps} --warm-up {args.warm_up} --rounds {args.rounds}"
    command += f" --workers {args.workers} --threads {args.threads}" + " --compile" * args.compile
    write("end_to_end", "End to end", "Images a second", command, cases, ["torch", "hf_ssl", "transformers", "Pillow"])


if __name__ == "__main__":
    main()
