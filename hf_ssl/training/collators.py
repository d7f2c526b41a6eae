"""From samples to views, with randomness that depends on nothing but the seed and the samples of the batch."""

import hashlib

import torch

from ..data import collate_images
from ..image_processing_utils import SSLImageProcessor


def batch_generator(seed: int, index: torch.Tensor) -> torch.Generator:
    """
    The generator of a batch, from the seed and the indices of its samples in order.

    A shuffled loader never gives two batches the same indices in the same order, so this needs no step counter: it is
    the same in a worker, on the device, and after a resume.
    """
    digest = hashlib.blake2b(index.cpu().numpy().tobytes(), digest_size=8, salt=seed.to_bytes(8, "little"))
    return torch.Generator().manual_seed(int.from_bytes(digest.digest(), "little") >> 1)


def make_views(processor: SSLImageProcessor, batch: dict, seed: int) -> dict[str, torch.Tensor]:
    """Views of a batch of raw images `{"images", "index", ...}`; entries that it does not know are passed through."""
    rest = {k: v for k, v in batch.items() if k not in ("images", "index")}
    return {**processor.views(batch["images"], batch_generator(seed, batch["index"])), **rest}


class ViewCollator:
    """
    Collate samples `{"image": uint8 (C, H, W), "index": int}` into a batch of views.

    Args:
        processor (`SSLImageProcessor`): draws the views.
        seed (`int`): of the run.
        make_views (`bool`): `False` leaves the raw `images` and `index` for the Trainer to make views on its device.
        keep_index (`bool`): also return `index`, for methods that keep something for each sample.
    """

    def __init__(
        self, processor: SSLImageProcessor, seed: int = 42, make_views: bool = True, keep_index: bool = False
    ):
        self.processor = processor
        self.seed = seed
        self.make_views = make_views
        self.keep_index = keep_index

    def __call__(self, samples: list[dict]) -> dict:
        batch = collate_images(samples)
        if self.keep_index:
            batch["sample_index"] = batch["index"]
        return make_views(self.processor, batch, self.seed) if self.make_views else batch
