"""Data sets too large to store or to index: read once an epoch, in order."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import datasets
import torch
from torch.utils.data import IterableDataset, get_worker_info

from .cells import Cells
from .columns import label_value
from .errors import DataError
from .hub import find_image_column, find_label_column
from .images import decode_image, settle_pixel_format
from .pixels import PixelFormat
from .unreadable import allowed_unreadable, reason_of

EPOCH_STRIDE = 2**40  # more samples than an epoch ever has
WORKER_SLOTS = 256
JUDGED_AFTER = 1000  # images that a process sees before it judges by them, unless a pass ends sooner
FIRST = 16  # images that settle the pixel format
ALL_BAD_AFTER = 100  # unreadable images from the first one on that are enough


class ImageStream(IterableDataset):
    """
    A stream of the same dicts that [`ImageDataset`] gives; `index` is a running counter plus epoch * 2**40, unique
    over the workers of a DataLoader. Unreadable images are skipped and counted. `labels` is always None: nobody has
    seen them all.

    Subclasses give `_items`, an iterator over this worker's share of an epoch, and `_pair`: from one item to what is
    decoded, and the label or None.

    Args:
        channels (`int`, *optional*, defaults to 3): 3 turns every image into RGB, 1 into grey.
        max_unreadable (`float`, *optional*): share of unreadable images that is accepted, see [`DecodedImages`].
    """

    labels = None
    sample_key, noun = "image", "image"  # see `ImageDataset`
    pixel_format = PixelFormat()  # settled from the first images when a stream is made, before workers copy it

    def __init__(
        self, label_names: list[str] | None = None, *, channels: int = 3, max_unreadable: float | None = None
    ):
        self.label_names, self.channels, self.max_unreadable = label_names, channels, max_unreadable
        self._shortest_side: int | None = None
        # Shared, because workers that live longer than an epoch hold copies of this object.
        self._epoch = torch.zeros(1, dtype=torch.long).share_memory_()
        self._counts = torch.zeros(WORKER_SLOTS, 2, dtype=torch.long).share_memory_()  # seen, unreadable

    def set_epoch(self, epoch: int) -> None:
        """Start the next pass as epoch `epoch`: another order where the stream is shuffled, and other indices."""
        self._epoch.fill_(epoch)

    def report(self) -> str | None:
        """One sentence on the images that could not be read so far, or None."""
        seen, bad = self._counts.sum(0).tolist()
        return f"{bad} of {seen} streamed images could not be read and were skipped." if bad else None

    def reduce_to(self, shortest_side: int | None) -> None:
        """As [`DecodedImages.reduce_to`]."""
        self._shortest_side = shortest_side

    def __iter__(self) -> Iterator[dict]:
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        base = int(self._epoch) * EPOCH_STRIDE
        seen = bad = 0
        last = ""
        for seen, item in enumerate(self._items(), start=1):
            sample = source = None
            try:
                source, label = self._pair(item)
                image = decode_image(source, self.channels, self.pixel_format, self._shortest_side)
                sample = {"image": image, "index": base + (seen - 1) * workers + number}
            except DataError:  # a wrong argument, not a bad image
                raise
            except Exception as error:  # as in DecodedImages: damaged files raise almost anything
                bad, last = bad + 1, reason_of(error, source)
            self._counts[number % WORKER_SLOTS] += torch.tensor([1, int(sample is None)])
            if seen == JUDGED_AFTER or (seen == ALL_BAD_AFTER and bad == seen):
                self._judge(bad, seen, last)
            if sample is not None:
                if label is not None:
                    sample["label"] = label
                yield sample
        if seen < JUDGED_AFTER:
            self._judge(bad, seen, last)

    def _judge(self, bad: int, seen: int, last: str) -> None:
        if seen and bad == seen:
            raise DataError(
                f"None of the {seen} images of the stream can be read ({last}): check the data set and image_column."
            )
        accepted = allowed_unreadable(seen, self.max_unreadable)
        if bad > accepted:
            raise DataError(
                f"{bad} of the first {seen} images of the stream cannot be read, more than the {accepted} that are "
                f"accepted (the last: {last}): check the data set and image_column, or raise max_unreadable."
            )

    def _items(self) -> Iterable:
        raise NotImplementedError

    def _pair(self, item) -> tuple:
        raise NotImplementedError

    def _settle(self) -> None:
        self.pixel_format = settle_pixel_format(self._first(), self.channels)

    def _first(self) -> Iterator:
        for item in islice(self._items(), FIRST):
            try:
                yield self._pair(item)[0]
            except DataError:
                raise
            except Exception:  # reported when it is its turn
                continue


class HubStream(ImageStream):
    """
    The images of a `datasets.IterableDataset`, which also shares its files among DataLoader workers.

    Args:
        dataset (`datasets.IterableDataset`).
        image_column, label_column (`str`, *optional*): as for [`HubImages`]; a label that is not of type `ClassLabel`
            must be an integer here.
        limit (`int`, *optional*): stop after this many images.
        shuffle_buffer (`int`, *optional*, defaults to 0): images held in memory to draw the next one from.
        seed (`int`, *optional*, defaults to 0): of the shuffle.
        folders (`list[str]`, *optional*): where the files may lie that cells name, see [`Cells`].

    Raises:
        DataError: if a column does not exist or there is no image column, and while
            reading if too many images are bad.
    """

    def __init__(
        self,
        dataset: datasets.IterableDataset,
        image_column: str | None = None,
        label_column: str | None = None,
        *,
        channels: int = 3,
        max_unreadable: float | None = None,
        limit: int | None = None,
        shuffle_buffer: int = 0,
        seed: int = 0,
        folders: Sequence[str] | None = None,
    ):
        self.image_column = find_image_column(dataset, image_column)
        self.label_column = find_label_column(dataset, label_column, integers_only=True)
        feature = (dataset.features or {}).get(self.label_column)
        names = feature.names if isinstance(feature, datasets.ClassLabel) else None
        super().__init__(names, channels=channels, max_unreadable=max_unreadable)
        if dataset.features is not None:  # else its values are as they are stored
            dataset = dataset.decode(False)
        self._cell = Cells(dataset, folders)
        self._rows = dataset
        self._settle()
        if limit is not None:
            dataset = dataset.take(limit)
        if shuffle_buffer:
            dataset = dataset.shuffle(seed=seed, buffer_size=shuffle_buffer)
        self._rows = dataset

    def set_epoch(self, epoch: int) -> None:
        super().set_epoch(epoch)
        self._rows.set_epoch(epoch)

    def _pair(self, item: dict) -> tuple:
        for column in (self.image_column, self.label_column):
            if column is not None and column not in item and column.partition(".")[0] not in item:
                raise DataError(f"The stream has no column {column!r}: its columns are {', '.join(item)}.")
        label = None
        if self.label_column is not None:
            label = _whole_number(label_value(item, self.label_column), self.label_column)
        return self._cell(item[self.image_column]), label

    def _items(self) -> Iterator[dict]:
        rows = iter(self._rows)
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except Exception as error:  # the builders and the network raise unrelated types
                first = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise DataError(
                    f"The stream cannot be read on ({first.rstrip('.')}): check its files and the network."
                ) from error
            yield row


class AdaptedStream(ImageStream):
    """
    A `torch.utils.data.IterableDataset` of images, pairs or dicts. It has to share its items among workers itself.

    Args:
        dataset (`IterableDataset`).
        split_item (`Callable`): from an item to (image, label or None).
    """

    def __init__(self, dataset: IterableDataset, split_item, **options):
        super().__init__(**options)
        self._dataset, self._split_item = dataset, split_item
        self._settle()

    def _items(self) -> Iterator:
        return iter(self._dataset)

    def _pair(self, item) -> tuple:
        return self._split_item(item)


def _whole_number(label, column: str) -> int:
    """A label as an integer, -1 where it is missing."""
    if label is None or label != label:  # NaN
        return -1
    if not isinstance(label, (int, float)) or label % 1:
        raise DataError(f"label_column={column!r} holds {label!r}: a stream needs integer labels.")
    return max(int(label), -1)
