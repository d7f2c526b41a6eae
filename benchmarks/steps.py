"""
Training steps a second: hf_ssl against lightly's building blocks, transformers' ViTMAE, and the floor.

    python benchmarks/steps.py

Same architecture, heads, views and optimizer for all; views are made beforehand. Ours keeps freed memory and its
convolutions' channels as our trainer does; theirs as they come. The floor is the time that the matrix products of our
step take at the rate of one large product, measured in turn with the others. Ours in bfloat16 (autocast) is shown, not
compared. Beside each row: the peak of memory, and where our time goes, with the making of the views. Needs
`requirements-peers.txt`.
"""

import argparse
import time
from collections import Counter
from itertools import product

import torch
from alternating import OURS, alternate, case, write
from cached_chunks import PeakBytes
from peer_steps import PEERS
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hf_ssl.backbones import backbone_config
from hf_ssl.nn.network_copy import NetworkCopy
from hf_ssl.registry import METHODS
from hf_ssl.training.memory import channels_last_pays, freed_memory_kept

BATCHES = {32: 64, 224: 16}
FLOOR, BFLOAT16, SIDE = "floor", "hf_ssl, bf16", 1024


class OurStep:
    """A step as `SSLTrainer` takes it; `parts` holds the seconds of each part while `timed`."""

    def __init__(self, method: str, backbone: str, size: int):
        row, native = METHODS[method], backbone_config(backbone, size)
        torch.manual_seed(0)
        # 65536 prototypes would drown the encoder at these batches.
        values = {"num_prototypes": 4096} if method == "dino" else {}
        self.model = row.pretraining_class(row.config_class(backbone_config=native, **values)).train()
        self.optimizer = torch.optim.AdamW((p for p in self.model.parameters() if p.requires_grad), fused=True)
        processor = {"size": {"shortest_edge": size}, "crop_size": {"height": size, "width": size}}
        if method == "dino":
            processor |= {"global_crop_size": size, "local_crop_size": 96 if size == 224 else 16}
        if method == "mae":
            processor["patch_size"] = native.patch_size
        self.processor = row.processor_class(**processor)
        if channels_last_pays(self.model, self.processor.largest_view, torch.device("cpu")):
            self.model.to(memory_format=torch.channels_last)
        self.parts: Counter = Counter()
        for module in self.model.children():
            # MAE calls the parts of its encoder by themselves.
            inside = (
                module.children()
                if isinstance(module, NetworkCopy) or row.info.family == "masked images"
                else [module]
            )
            for part in inside:
                for called in part if isinstance(part, nn.ModuleList) else [part]:
                    self._time(called)

    def _time(self, module: nn.Module) -> None:
        started = []
        module.register_forward_pre_hook(lambda *_: started.append(time.perf_counter()))

        def add(*_):
            part = "encoder and heads" if torch.is_grad_enabled() else "teacher"
            self.parts[part] += time.perf_counter() - started.pop()

        module.register_forward_hook(add)

    def __call__(self, views: dict[str, torch.Tensor]) -> None:
        clock = [time.perf_counter()]
        networks = self.parts["encoder and heads"] + self.parts["teacher"]
        self.optimizer.zero_grad()
        loss = self.model(**views).loss
        clock.append(time.perf_counter())
        loss.backward()
        clock.append(time.perf_counter())
        self.optimizer.step()
        clock.append(time.perf_counter())
        self.model.after_optimizer_step(1, 1000)
        clock.append(time.perf_counter())
        forward, backward, optimizer, average = (b - a for a, b in zip(clock, clock[1:], strict=False))
        networks = self.parts["encoder and heads"] + self.parts["teacher"] - networks
        self.parts += Counter(
            {"loss": forward - networks, "backward": backward, "optimizer": optimizer, "teacher": average}
        )

    def shares(self, images: torch.Tensor, repeats: int = 3) -> dict[str, float]:
        """Share of each part in percent, the views included."""
        self.parts.clear()
        generator = torch.Generator().manual_seed(0)
        for _ in range(repeats):
            started = time.perf_counter()
            views = dict(self.processor.views(image=images, generator=generator))
            self.parts["input"] += time.perf_counter() - started
            self(views)
        total = sum(self.parts.values())
        return {part: 100 * seconds / total for part, seconds in self.parts.most_common()}

    def flops(self, views: dict[str, torch.Tensor]) -> int:
        """Of forward and backward; attention as plain products, which the counter knows."""
        configs = {id(m.config): m.config for m in self.model.modules() if hasattr(m, "config")}.values()
        attending = [c for c in configs if c._attn_implementation == "sdpa"]
        for config in attending:
            config._attn_implementation = "eager"
        with FlopCounterMode(display=False) as counter:
            self.model(**views).loss.backward()
        for config in attending:
            config._attn_implementation = "sdpa"
        return counter.get_total_flops()


def peak(step, views: dict[str, torch.Tensor]) -> float:
    """Megabytes alive at once that one step allocates, weights and the state of the optimizer not counted."""
    step(views)
    with PeakBytes(views.values()) as memory:
        step(views)
    return memory.peak / 1e6


def measure(method: str, backbone: str, size: int, rounds: int) -> dict:
    batch = BATCHES[size]
    ours = OurStep(method, backbone, size)
    images = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
    views = dict(ours.processor.views(image=images, generator=torch.Generator().manual_seed(0)))
    steps = {OURS: ours} | {n: peer(ours.model.config, backbone, size) for n, peer in PEERS[method].items()}
    flops, matrix = ours.flops(views), torch.randn(SIDE, SIDE)
    products = max(round(flops / (2 * SIDE**3)), 1)

    def counted(step, bfloat16: bool = False):
        def run():
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                step(views)
            return batch

        return run

    def floor():
        for _ in range(products):
            matrix @ matrix
        return products * 2 * SIDE**3 / flops * batch

    contestants = {name: counted(step) for name, step in steps.items()}
    contestants |= {BFLOAT16: counted(ours, bfloat16=True), FLOOR: floor}
    rates = alternate(contestants, rounds, freed_memory_kept)
    details = {
        "peak, MB": {name: peak(step, views) for name, step in steps.items()},
        "our time, %": ours.shares(images),
        "GFLOP": {"a step": flops / 1e9},
    }
    return case(
        f"{METHODS[method].info.title}, {backbone}, {size} px", rates, bounds=(BFLOAT16, FLOOR), details=details
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--methods", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--backbones", nargs="+", default=["resnet-18", "vit-tiny"])
    parser.add_argument("--sizes", nargs="+", type=int, choices=BATCHES, default=list(BATCHES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cases = []
    for method, backbone, size in product(args.methods, args.backbones, args.sizes):
        if METHODS[method].info.family == "masked images" and not backbone.startswith("vit"):
            continue
        cases.append(measure(method, backbone, size, args.rounds))
        print(cases[-1], flush=True)
    command = f"python benchmarks/steps.py --rounds {args.rounds} --threads {args.threads}"
    packages = ["torch", "hf_ssl", "transformers", "lightly", "timm", "torchvision"]
    write("steps", "Training steps", "Images a second", command, cases, packages)


if __name__ == "__main__":
    main()
