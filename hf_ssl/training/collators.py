"""From samples to views, with randomness that depends on nothing but the seed and the samples of the batch."""

import hashlib
from collections.abc import Iterator, Sized

import torch
from torch.utils.data import DataLoader, Subset

from ..data import collate_images
from ..image_processing_utils import SSLImageProcessor
from ..nn.distributed import rank, world_size
from ..stopping import InWorker

EVALUATION = -1  # in place of the epoch: the views of an evaluation are the same every time


def batch_seed(seed: int, epoch: int, index: torch.Tensor) -> int:
    """
    What the randomness of a batch starts from: the seed of the run, the epoch, and the indices of its samples.

    Within an epoch no image comes twice, so no two batches start alike, whatever their size and the sampler; and this
    needs no step counter: it is the same in a worker, on the device, and after a resume. Only a sampler that draws
    with replacement can repeat a batch, and with it the views: batches of one image, mostly.

    Args:
        seed (`int`): of the run.
        epoch (`int`): from 0, or `EVALUATION`.
        index (`torch.LongTensor` of shape `(batch,)`): of the samples, in order.
    """
    entries = torch.cat([torch.tensor([epoch]), index])
    digest = hashlib.blake2b(entries.numpy().tobytes(), digest_size=8, salt=seed.to_bytes(8, "little"))
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

    The epoch lies in shared memory: workers that live longer than one see what `set_epoch` says in the main process.
    """

    def __init__(
        self, processor: SSLImageProcessor, seed: int = 42, make_views: bool = True, extras: tuple[str, ...] = ()
    ):
        self.processor = processor
        self.seed = seed
        self.make_views = make_views
        self.extras = extras
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
        batch = collate_images(samples, with_labels="labels" in self.extras, pack=not self.make_views)
        index = batch.pop("index")
        if "sample_index" in self.extras:
            batch["sample_index"] = index
        # A number: a tensor would have to come back from the device.
        batch["view_seed"] = batch_seed(self.seed, int(self._epoch), index)
        return make_views(self.processor, batch) if self.make_views else batch


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
