"""Where in an epoch a sample stands: known to the sampler, carried through the data set to the collator."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from torch.utils.data import Dataset, Sampler, Subset

NO_PLACE = -1  # of samples that come once in a pass and in order, or in a stream: their index says as much


@runtime_checkable
class HasEpoch(Protocol):
    """A sampler whose order changes from epoch to epoch."""

    def set_epoch(self, epoch: int) -> None: ...


class PlacedSampler(Sampler):
    """
    The order of another sampler, of pairs (place, index): the place counts the samples of the epoch from 0, over all
    processes. It is part of the sample, so whatever stands between sampler and collator may skip batches on resuming,
    share them among processes, or read them in workers.

    Args:
        sampler (`Sampler`): indices.
    """

    def __init__(self, sampler: Sampler):
        self.sampler = sampler

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return enumerate(self.sampler)

    def set_epoch(self, epoch: int) -> None:
        if isinstance(self.sampler, HasEpoch):
            self.sampler.set_epoch(epoch)


class PlacedSamples(Subset):
    """
    The samples of a data set for the pairs of [`PlacedSampler`], each with its `"place"`.

    Args:
        dataset (`Dataset`): map-style, of dicts.
    """

    def __init__(self, dataset: Dataset):
        super().__init__(dataset, range(len(dataset)))

    def __getitems__(self, placed: list[tuple[int, int]]) -> list[dict]:
        samples = super().__getitems__([index for _, index in placed])
        return [{**sample, "place": place} for (place, _), sample in zip(placed, samples, strict=True)]
