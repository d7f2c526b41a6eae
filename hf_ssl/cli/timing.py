"""How long a step takes, and how many images of a batch fit into the memory: by trying."""

import time
from collections.abc import Callable
from typing import TypeVar

import torch

from ..data import ImageDataset
from ..encoders import encoder_for
from ..evaluation.baselines import raw_pixels
from ..evaluation.evaluate import RAW_PIXELS_SIDE
from ..evaluation.features import frozen_embedder, input_batches
from ..modeling_utils import SSLPreTrainedModel
from ..processing_utils import SSLProcessorMixin
from ..training import SSLTrainingArguments, ViewCollator
from ..training.collators import SequentialData

T = TypeVar("T")
_TIMED_STEPS = 2
_TIMED_IMAGES = 32
# Of a linear probe, for each image, dimension and class: two CPU cores, benchmarks/linear.py.
_PROBE_SECONDS = 3e-7


def seconds_per_step(
    model: SSLPreTrainedModel, processor: SSLProcessorMixin, dataset: ImageDataset, args: SSLTrainingArguments
) -> tuple[float, float]:
    """
    Seconds that an optimizer step takes with these arguments, and seconds that reading one image takes, from two steps
    after a first one that does not count. The model, its buffers, and the random state are afterwards as they were.
    """
    before = {name: value.clone() for name, value in model.state_dict().items()}
    collator = ViewCollator(processor, args.seed, make_views=False, extras=model.data_columns)
    chosen = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(args.seed)).tolist()
    batch, model = args.per_device_train_batch_size, model.to(args.device).train()
    cuda = args.device.type == "cuda"
    reading, computing = [], []
    with torch.random.fork_rng(devices=[args.device] if cuda else []):
        for step in range(1 + _TIMED_STEPS):
            started = time.perf_counter()
            samples = dataset.__getitems__([chosen[(step * batch + i) % len(chosen)] for i in range(batch)])
            read = time.perf_counter()
            inputs = {name: _moved(value, args.device) for name, value in collator(samples).items()}
            with torch.autocast(args.device.type, torch.bfloat16, enabled=bool(args.bf16)):
                model(**processor.views_of(inputs)).loss.backward()
            if cuda:
                torch.cuda.synchronize(args.device)
            reading.append(read - started)
            computing.append(time.perf_counter() - read)
    model.zero_grad(set_to_none=True)
    model.load_state_dict(before)
    read, compute = (sum(times[1:]) / _TIMED_STEPS for times in (reading, computing))
    return args.gradient_accumulation_steps * compute, read / batch / max(args.dataloader_num_workers, 1)


def seconds_to_prepare(
    model: SSLPreTrainedModel, processor: SSLProcessorMixin, dataset: ImageDataset, args: SSLTrainingArguments
) -> float:
    """
    Seconds that the method's `prepare` takes on all the data, by doing it once; 0 for a method without. The model, its
    buffers, and the random state are afterwards as they were.
    """
    if type(model).prepare is SSLPreTrainedModel.prepare:
        return 0.0
    before = {name: value.clone() for name, value in model.state_dict().items()}
    collator = ViewCollator(processor, args.seed, make_views=False, extras=model.data_columns)
    model.to(args.device).train()
    data = SequentialData(
        dataset,
        collator,
        args.train_batch_size,
        args.dataloader_num_workers,
        lambda batch: processor.views_of({name: _moved(value, args.device) for name, value in batch.items()}),
    )
    with torch.random.fork_rng(devices=[args.device] if args.device.type == "cuda" else []):
        started = time.perf_counter()
        model.prepare(data)
        if args.device.type == "cuda":
            torch.cuda.synchronize(args.device)
        seconds = time.perf_counter() - started
    model.load_state_dict(before)
    return seconds


def seconds_per_evaluated_image(
    model: SSLPreTrainedModel,
    processor: SSLProcessorMixin,
    dataset: ImageDataset,
    args: SSLTrainingArguments,
    classes: int,
) -> tuple[float, float]:
    """
    Seconds that an evaluation takes for each image: reading and encoding it, and the linear probes of raw pixels and
    of the embeddings of two encoders.
    """
    sample = dataset.subset(range(min(len(dataset), _TIMED_IMAGES)))
    encoder = model.encoder()
    started = time.perf_counter()
    with frozen_embedder(encoder, args.device) as embed:
        for pixels, _ in input_batches(processor, sample, _TIMED_IMAGES, encoder_for(model.backbone.config)):
            width = embed(pixels).shape[1]
            raw = raw_pixels(pixels, RAW_PIXELS_SIDE).shape[1]
    seconds = (time.perf_counter() - started) / len(sample)
    return seconds, (raw + 2 * width) * classes * _PROBE_SECONDS


def largest_batch(batch: int, smallest: int, attempt: Callable[[int], T], group: int = 1) -> tuple[int, T]:
    """
    The batch, halved to whole groups until it fits into the memory of the device, and what `attempt` gives for it.

    Raises:
        ValueError: when not even the smallest batch fits.
    """
    while True:
        try:
            return batch, attempt(batch)
        except torch.OutOfMemoryError:
            half = batch // 2 // group * group
            if half < smallest:
                raise ValueError(
                    f"Not even a batch of {batch} fits into the memory of the device: choose a smaller --image-size "
                    "or --backbone, or --gradient_checkpointing."
                ) from None
            batch = half
            torch.cuda.empty_cache()


def _moved(value, device: torch.device):
    return value.to(device) if isinstance(value, torch.Tensor) else value
