"""Images that stay in memory once they have been read."""

import torch

from hf_ssl.data.base import ImageDataset
from hf_ssl.data.kept import KeptImages


class Counted(ImageDataset):
    """Images of 2 x 2 pixels that count how often each is read."""

    def __init__(self, count):
        super().__init__(range(count), [str(i) for i in range(count)])
        self.reads = [0] * count

    def __len__(self):
        return len(self.reads)

    def __getitems__(self, indices):
        for index in indices:
            self.reads[index] += 1
        return [{"image": torch.full((3, 2, 2), i, dtype=torch.uint8), "index": i, "label": i} for i in indices]

    def subset(self, indices):
        return "a subset"


def test_an_image_is_read_once():
    source = Counted(4)
    kept = KeptImages(source, limit=100)
    for indices in ([2, 0, 2], [0, 1], [-1]):
        samples = kept.__getitems__(indices)
        assert [s["index"] for s in samples] == [i % 4 for i in indices]
        assert all(int(s["image"][0, 0, 0]) == s["label"] for s in samples)
    assert source.reads == [1, 1, 1, 1]
    assert len(kept) == 4 and kept.labels is source.labels and kept.label_names == source.label_names
    assert kept.subset([1]) == "a subset"


def test_what_does_not_fit_is_read_again():
    source = Counted(3)
    kept = KeptImages(source, limit=24)  # two images of 12 bytes
    for _ in range(2):
        kept.__getitems__([0, 1, 2])
    assert source.reads == [1, 1, 2]
