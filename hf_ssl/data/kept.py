"""Images that are read once and then stay in memory."""

from collections.abc import Sequence

from .base import ImageDataset


class KeptImages(ImageDataset):
    """
    A data set whose images stay in memory, decoded, once they have been asked for: decoding a photograph takes longer
    than making its views. For one process: workers of a DataLoader would each keep their own.

    Args:
        source ([`ImageDataset`]): where the images come from.
        limit (`int`): bytes that may be kept; images beyond that are read again each time.
    """

    def __init__(self, source: ImageDataset, limit: int):
        super().__init__(None, source.label_names)
        self.captions = source.captions
        self.source, self.limit = source, limit
        self._kept: dict[int, dict] = {}

    @property
    def labels(self):
        return self.source.labels

    @property
    def pixel_format(self):
        return self.source.pixel_format

    def __len__(self) -> int:
        return len(self.source)

    def __getitems__(self, indices: list[int]) -> list[dict]:
        indices = self._positions(indices)
        missing = [index for index in dict.fromkeys(indices) if index not in self._kept]
        found = dict(zip(missing, self.source.__getitems__(missing), strict=True)) if missing else {}
        for index, sample in found.items():
            size = sample[self.source.sample_key].nbytes
            if size <= self.limit:
                self._kept[index] = sample
                self.limit -= size
        return [found[index] if index in found else self._kept[index] for index in indices]

    def keys(self) -> list[bytes]:
        return self.source.keys()

    def subset(self, indices: Sequence[int]) -> ImageDataset:
        return self.source.subset(indices)
