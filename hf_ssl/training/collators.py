"""From samples to views, with randomness that depends on nothing but the seed and the samples of the batch."""

import hashlib
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Subset

from ..data import collate_images
from ..image_processing_utils import SSLImageProcessor
from ..nn.distributed import rank, world_size


def batch_seed(seed: int, index: torch.Tensor) -> int:
    """
    What the randomness of a batch starts from: the seed of the run and the indices of its samples in order.

    A shuffled loader never gives two batches the same indices in the same order, so this needs no step counter: it is
    the same in a worker, on the device, and after a resume.
    """
    digest = hashlib.blake2b(index.numpy().tobytes(), digest_size=8, salt=seed.to_bytes(8, "little"))
    return int.from_bytes(digest.digest(), "little") >> 1


def make_views(processor: SSLImageProcessor, batch: dict) -> dict[str, torch.Tensor]:
    """Views of a batch of raw images `{"images", "view_seed", ...}`; other entries are passed through."""
    rest = {k: v for k, v in batch.items() if k not in ("images", "view_seed")}
    return {**processor.views(batch["images"], torch.Generator().manual_seed(batch["view_seed"])), **rest}


class ViewCollator:
    """
    Collate samples `{"image": uint8 (C, H, W), "index": int}` into a batch of views.

    Args:
        processor (`SSLImageProcessor`): draws the views.
        seed (`int`): of the run.
        make_views (`bool`): `False` leaves the raw `images` and `view_seed`: the Trainer makes views on its device.
        extras (`tuple[str]`): of "sample_index", for methods that keep something for each sample, and "labels", for
            supervised ones.
    """

    def __init__(
        self, processor: SSLImageProcessor, seed: int = 42, make_views: bool = True, extras: tuple[str, ...] = ()
    ):
        self.processor = processor
        self.seed = seed
        self.make_views = make_views
        self.extras = extras

    def __call__(self, samples: list[dict]) -> dict:
        batch = collate_images(samples, with_labels="labels" in self.extras, pack=not self.make_views)
        index = batch.pop("index")
        if "sample_index" in self.extras:
            batch["sample_index"] = index
        batch["view_seed"] = batch_seed(self.seed, index)  # a number: a tensor would have to come back from the device
        return make_views(self.processor, batch) if self.make_views else batch


class SequentialBatches:
    """
    One pass over a process's share of a data set, in order; made anew by every `iter`. It leaves the random state of
    the run as it was.

    Args:
        dataset: map-style.
        collator: of the run.
        batch_size (`int`)
        num_workers (`int`)
        prepare (callable): moves a batch to the device, and makes its views if they are not made yet.
    """

    def __init__(self, dataset, collator, batch_size: int, num_workers: int, prepare):
        self.dataset, self.collator, self.prepare = dataset, collator, prepare
        self.batch_size, self.num_workers = batch_size, num_workers

    def __iter__(self) -> Iterator[dict]:
        loader = DataLoader(
            Subset(self.dataset, range(rank(), len(self.dataset), world_size())),
            batch_size=self.batch_size,
            collate_fn=self.collator,
            num_workers=self.num_workers,
            generator=torch.Generator(),
        )
        return map(self.prepare, loader)
