"""From samples to views, with randomness that depends on nothing but the run and the place of a batch in it."""

import hashlib
from collections.abc import Iterator, Sized

import torch
from torch.utils.data import DataLoader, Subset

from ..data import collate_samples
from ..nn.distributed import rank, world_size
from ..processing_utils import SSLProcessorMixin
from ..utils.stopping import InWorker
from .places import NO_PLACE

EVALUATION = -1  # in place of the epoch: the views of an evaluation are the same every time


def batch_seed(seed: int, epoch: int, place: int, index: torch.Tensor, process: int = 0) -> int:
    """
    What the randomness of a batch starts from: the seed of the run, the epoch, the step, and the indices of its
    samples. No two batches of a run start alike, whatever their size, and though the sampler may draw with
    replacement. Nothing is counted on the way: it is the same in a worker, on the device, and after a resume.

    Args:
        seed (`int`): of the run.
        epoch (`int`): from 0, or `EVALUATION`.
        place (`int`): the step, counted in samples: how many the epoch had before this batch, over all processes; or
            `NO_PLACE`.
        index (`torch.LongTensor` of shape `(batch,)`): of the samples, in order.
        process (`int`, *optional*, defaults to 0): which process the batch is for. Where the batches of an epoch
            cannot be shared equally, some get its first ones once more.
    """
    entries = torch.cat([torch.tensor([epoch, place, process]), index])
    digest = hashlib.blake2b(entries.numpy().tobytes(), digest_size=8, salt=seed.to_bytes(8, "little"))
    return int.from_bytes(digest.digest(), "little") >> 1


class ViewCollator:
    """
    Collate samples into a batch of views.

    Args:
        processor (`SSLProcessorMixin`): draws the views. Samples hold its `sample_keys`, their `"index"`, and in
            training their `"place"`, see [`PlacedSamples`].
        seed (`int`): of the run.
        make_views (`bool`): `False` leaves the raw samples and `view_seed`: the Trainer makes views on its device.
        extras (`tuple[str]`): of "sample_index", for methods that keep something for each sample, and "labels", for
            supervised ones.
        process (`int`): that the batches are for.

    The epoch lies in shared memory: workers that live longer than one see what `set_epoch` says in the main process.
    """

    def __init__(
        self,
        processor: SSLProcessorMixin,
        seed: int = 42,
        make_views: bool = True,
        extras: tuple[str, ...] = (),
        process: int = 0,
    ):
        self.processor = processor
        self.seed = seed
        self.make_views = make_views
        self.extras = extras
        self.process = process
        self._epoch = torch.zeros(1, dtype=torch.long).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Draw the views of epoch `epoch` from now on."""
        self._epoch.fill_(epoch)

    def for_evaluation(self) -> "ViewCollator":
        """The same for data that are evaluated: their views do not change from epoch to epoch."""
        collator = ViewCollator(self.processor, self.seed, self.make_views, self.extras)
        collator.set_epoch(EVALUATION)
        return collator

    def __call__(self, samples: list[dict]) -> dict:
        keys, labelled = self.processor.sample_keys, "labels" in self.extras
        batch = collate_samples(samples, keys, with_labels=labelled, pack=not self.make_views)
        batch = self.processor.encode_samples(batch)
        index = batch.pop("index")
        if "sample_index" in self.extras:
            batch["sample_index"] = index
        # A number: a tensor would have to come back from the device.
        place = samples[0].get("place", NO_PLACE)
        batch["view_seed"] = batch_seed(self.seed, int(self._epoch), place, index, self.process)
        return self.processor.views_of(batch) if self.make_views else batch


class SequentialData:
    """
    The data of a run for a look before it begins: passes in order, each made anew, and free if not iterated. They
    leave the random state of the run as it was.

    Args:
        dataset: map-style, or a stream.
        collator: of the run.
        batch_size (`int`)
        num_workers (`int`)
        prepare (callable): moves a batch to the device, and makes its views if they are not made yet.
    """

    def __init__(self, dataset, collator, batch_size: int, num_workers: int, prepare):
        self.dataset, self.collator, self.prepare = dataset, collator, prepare
        self.batch_size, self.num_workers = batch_size, num_workers

    @property
    def num_samples(self) -> int | None:
        """Images, in all processes together; `None` for a stream."""
        return len(self.dataset) if isinstance(self.dataset, Sized) else None

    def batches(self) -> Iterator[dict]:
        """
        One pass over this process's share of the data, as arguments of `forward`.

        Raises:
            ValueError: for a stream in several processes, where nobody knows a share.
        """
        if isinstance(self.dataset, Sized):
            dataset = Subset(self.dataset, range(rank(), len(self.dataset), world_size()))
        elif world_size() == 1:
            dataset = self.dataset
        else:
            raise ValueError(
                "The method looks at the data before it learns, and several processes cannot share a stream for that: "
                "use data with a length, or one process."
            )
        loader = DataLoader(
            dataset,
            batch_size=self.batch_size,
            collate_fn=self.collator,
            num_workers=self.num_workers,
            worker_init_fn=InWorker(None),
            generator=torch.Generator(),
        )
        return map(self.prepare, loader)
