"""What every map-style image data set is, and how images that cannot be read are replaced and reported."""

import copy
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Dataset

from .errors import DataError
from .images import SAMPLED, decode_image, settle_pixel_format
from .pixels import PixelFormat

UNSEEN, READ, UNREADABLE = 0, 1, 2
ENOUGH_SEEN = 20  # images to look at before the share of unreadable ones means anything
NAMES_SHOWN = 10


class ImageDataset(Dataset):
    """
    A map-style data set of dicts `{"image": uint8 tensor (C, H, W), "index": int}`, plus `"label": int` where labels
    exist. C is the same for all images of a data set, 1 or 3.

    Attributes:
        labels (`torch.LongTensor` of shape `(N,)`, *optional*): class of every image, -1 where unknown.
        label_names (`list[str]`, *optional*): name of every class.
    """

    def __init__(self, labels: torch.Tensor | Sequence[int] | None = None, label_names: Sequence[str] | None = None):
        self._labels = None if labels is None else torch.as_tensor(labels, dtype=torch.long)
        self.label_names = None if label_names is None else list(label_names)

    @property
    def labels(self) -> torch.Tensor | None:
        return self._labels

    @property
    def pixel_format(self) -> PixelFormat:
        """How stored values become pixels, for all images of the set; 8 bits here."""
        return PixelFormat()

    def __getitem__(self, index: int) -> dict:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: list[int]) -> list[dict]:
        raise NotImplementedError

    def subset(self, indices: Sequence[int]) -> "ImageDataset":
        """The same kind of data set with only these images, numbered from 0 in this order."""
        raise NotImplementedError

    def relabel(self, label_names: list[str]) -> None:
        """Number the classes by their place in `label_names`, which must hold all of them. Unknown (-1) stays."""
        mapping = torch.tensor([label_names.index(name) for name in self.label_names] + [-1])
        self._labels = mapping[self._labels]  # -1 picks the last entry
        self.label_names = list(label_names)

    def _positions(self, indices: Sequence[int]) -> list[int]:
        everything = range(len(self))  # indexing a range checks the bounds and resolves negative indices
        return [everything[int(index)] for index in indices]

    def _picked(self, indices: Sequence[int]) -> "ImageDataset":
        picked = copy.copy(self)
        picked._labels = None if self._labels is None else self._labels[torch.as_tensor(indices, dtype=torch.long)]
        return picked


def share_label_names(train: ImageDataset, test: ImageDataset) -> None:
    """Give the same number to the same class name in both, where both have labels."""
    if train.label_names is not None and test.label_names is not None and train.label_names != test.label_names:
        new = sorted(set(test.label_names) - set(train.label_names))
        train.relabel(train.label_names + new)
        test.relabel(train.label_names)


class DecodedImages(ImageDataset):
    """
    Images that are decoded when they are asked for.

    One that cannot be read never stops a run: the next readable image takes its place, with its own index and label,
    and the failure is recorded in shared memory, so that `report()` in the main process knows what its DataLoader
    workers saw. Only when more than `max_unreadable` of the images seen are bad does it raise `DataError`.

    Subclasses give `_cells` (what to decode) and `_name` (what to call image `index` in a message).

    Args:
        count (`int`): number of images.
        channels (`int`): 3 (RGB) or 1 (grey).
        max_unreadable (`float`): share of unreadable images that is still accepted, in [0, 1].
        place (`str`): where the images are, for messages.
    """

    _sampled = SAMPLED  # images that settle the pixel format

    def __init__(self, count: int, labels, label_names, *, channels: int, max_unreadable: float, place: str):
        super().__init__(labels, label_names)
        if channels not in (1, 3):
            raise DataError(f"channels={channels!r}: give 3 for RGB or 1 for grey.")
        if not 0 <= max_unreadable <= 1:
            raise DataError(f"max_unreadable={max_unreadable!r} is a share: give a number from 0 to 1.")
        self.channels, self.max_unreadable, self.place = channels, max_unreadable, place
        self._settled: list[PixelFormat] = []  # one list for all subsets, too
        self._shortest_side: int | None = None
        self._forget(count)

    def __len__(self) -> int:
        return len(self._state)

    def __getitems__(self, indices: list[int]) -> list[dict]:
        indices = self._positions(indices)
        samples = [self._readable(index, cell) for index, cell in zip(indices, self._cells(indices), strict=True)]
        if self._failed:  # the share also has to be checked when the 20th image, a good one, has been seen
            self._check_share()
        return samples

    @property
    def pixel_format(self) -> PixelFormat:
        """How stored values become pixels: settled once for the set and all its subsets, from images all over it."""
        if not self._settled:
            self._settled.append(settle_pixel_format(self._spread(), self.channels))
        return self._settled[0]

    @pixel_format.setter
    def pixel_format(self, pixel_format: PixelFormat) -> None:
        self._settled[:] = [pixel_format]

    def reduce_to(self, shortest_side: int | None) -> None:
        """From now on, reduce larger images to this many pixels on their short side while they are decoded."""
        self._shortest_side = shortest_side

    def unreadable_indices(self) -> list[int]:
        """Indices of the images that could not be read so far, in this process and in all workers."""
        return (self._state == UNREADABLE).nonzero().flatten().tolist()

    def report(self) -> str | None:
        """One sentence on the images that could not be read so far, or None."""
        bad = self.unreadable_indices()
        if not bad:
            return None
        return (
            f"{len(bad)} of {len(self)} images in {self.place} could not be read and were replaced by the next "
            f"readable one: {self._names(bad)}."
        )

    def _cells(self, indices: list[int]) -> list:
        raise NotImplementedError

    def _name(self, index: int) -> str:
        raise NotImplementedError

    def _image(self, index: int):
        """What to decode, for one image."""
        return self._cells([index])[0]

    def _spread(self) -> Iterator:
        for index in torch.linspace(0, len(self) - 1, min(self._sampled, len(self))).long().tolist():
            try:
                yield self._image(index)
            except DataError:
                raise
            except Exception:  # an item that cannot be read, reported when it is its turn
                continue

    def _sample(self, index: int, cell) -> dict:
        sample = {"image": self._decoded(cell), "index": index}
        if self._labels is not None:
            sample["label"] = int(self._labels[index])
        return sample

    def _decoded(self, image) -> torch.Tensor:
        return decode_image(image, self.channels, self.pixel_format, self._shortest_side)

    def _forget(self, count: int) -> None:
        # One byte an image: workers write single bytes, so no lock is needed.
        self._state = torch.zeros(count, dtype=torch.uint8).share_memory_()
        self._last_error = None  # in this process
        self._failed = torch.zeros(1, dtype=torch.uint8).share_memory_()

    def _readable(self, index: int, cell) -> dict:
        state = self._state.numpy()  # the same memory, ten times faster to index
        for _ in range(len(state)):
            if state[index] != UNREADABLE:
                try:
                    sample = self._sample(index, self._cells([index])[0] if cell is None else cell)
                except DataError:  # a wrong argument, not a bad image
                    raise
                except Exception as error:  # damaged files make Pillow raise almost anything, SyntaxError included
                    state[index] = UNREADABLE
                    self._failed.fill_(1)
                    self._last_error = error
                    self._check_share()
                else:
                    state[index] = READ
                    return sample
            index, cell = (index + 1) % len(state), None
        raise DataError(f"None of the {len(self)} images in {self.place} can be read: check the files.")

    def _check_share(self) -> None:
        seen = int(torch.count_nonzero(self._state))
        if seen < min(ENOUGH_SEEN, len(self)):
            return
        count = int((self._state == UNREADABLE).sum())
        if count > self.max_unreadable * seen:
            names = self._names(self.unreadable_indices())
            reason = f" (the last: {self._last_error})" if self._last_error else ""
            raise DataError(
                f"{count} of the first {seen} images seen in {self.place} cannot be read, "
                f"{count / seen:.0%} and more than max_unreadable={self.max_unreadable:g}: "
                f"{names}{reason}; remove or repair these files, or raise max_unreadable."
            ) from self._last_error

    def _names(self, indices: list[int]) -> str:
        names = [self._name(index) for index in indices[:NAMES_SHOWN]]
        return ", ".join(names) + (f" and {len(indices) - NAMES_SHOWN} more" if len(indices) > NAMES_SHOWN else "")
