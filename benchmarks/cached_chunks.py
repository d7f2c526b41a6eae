"""
What gradient caching saves and costs: the peak memory and the time of a training step, by batch and chunk.

    python benchmarks/cached_chunks.py --backbone vit-tiny --image-size 32 --batches 32 64 128 --chunks 16

Peak: bytes alive at once that the forward and the backward pass allocated, weights, images and optimizer not counted.
Time: of the fastest of `--repeats` steps, by that of the same batch without chunks.
"""

import argparse
import time
import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from hf_ssl.backbones import backbone_config
from hf_ssl.nn.chunks import set_chunk_size
from hf_ssl.registry import METHODS


class PeakBytes(TorchDispatchMode):
    """
    `peak`: the most bytes alive at once, of tensors made while the context is open, on the CPU (elsewhere the backward
    pass runs in a thread of its own).

    Args:
        known (iterable of `torch.Tensor`): made before, not counted, and neither are their views.
    """

    def __init__(self, known=()):
        super().__init__()
        self.alive = {t.untyped_storage()._cdata: 0 for t in known}
        self.now = self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        outputs = function(*args, **(kwargs or {}))
        for tensor in tree_iter(outputs):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage()._cdata not in self.alive:
                storage = tensor.untyped_storage()
                self.alive[storage._cdata] = storage.nbytes()
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self._freed, storage._cdata)
        return outputs

    def _freed(self, key: int) -> None:
        self.now -= self.alive.pop(key)


def step(model, views: dict[str, torch.Tensor]) -> None:
    model(**views).loss.backward()


def measure(model, views: dict[str, torch.Tensor], repeats: int) -> tuple[int, float]:
    """Peak bytes and seconds of a step."""
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    on_gpu = next(iter(views.values())).is_cuda
    if on_gpu:
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step(model, views)
        peak = torch.cuda.max_memory_allocated() - before
    else:
        with PeakBytes([*views.values(), *model.parameters(), *model.buffers()]) as memory:
            step(model, views)
        peak = memory.peak
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        step(model, views)
        if on_gpu:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return peak, min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    of_batches = [name for name, method in METHODS.items() if method.pretraining_class.smallest_eval_batch() > 1]
    parser.add_argument("--method", default="simclr", choices=of_batches)
    parser.add_argument("--backbone", default="vit-nano", help="as for hf-ssl pretrain, from scratch")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 64, 128], help="images")
    parser.add_argument("--chunks", type=int, nargs="+", default=[16], help="views")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()

    row, native = METHODS[args.method], backbone_config(args.backbone, args.image_size)
    torch.manual_seed(0)
    model = row.pretraining_class(row.config_class(backbone_config=native)).to(args.device)
    print("| batch | chunk | peak, MB | time |\n| ---: | ---: | ---: | ---: |")
    for batch in args.batches:
        shape = (batch, 2, native.num_channels, args.image_size, args.image_size)
        views = {"pixel_values": torch.randn(shape, device=args.device)}
        whole = None
        for chunk in (None, *args.chunks):
            set_chunk_size(model, chunk)
            peak, seconds = measure(model, views, args.repeats)
            whole = whole or seconds
            print(f"| {batch} | {chunk or 'none'} | {peak / 1e6:.1f} | {seconds / whole:.2f} |", flush=True)


if __name__ == "__main__":
    main()
