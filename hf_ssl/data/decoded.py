"""Images that are decoded when they are asked for: how bad ones are found, replaced and reported."""

import errno
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image

from .base import ImageDataset
from .errors import DataError
from .images import SAMPLED, decode_image, settle_pixel_format
from .listing import counted
from .pixels import PixelFormat
from .unreadable import (
    HEADERS,
    Header,
    allowed_unreadable,
    at_least,
    read_header,
    reason_of,
    spread,
    to_decode,
)

READABLE, UNREADABLE = 0, 1  # as far as it is known
_OF_THE_SYSTEM = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # no fault of an image
NAMES_SHOWN = 5
LINES_SHOWN = 20


class DecodedImages(ImageDataset):
    """
    Images that are decoded when they are asked for.

    `check` judges them once, over the whole data set. After that, one that cannot be read never stops a run: the next
    readable image takes its place, with its own index and label. What is known of unreadable images is shared by all
    subsets and, through shared memory, by DataLoader workers; `unreadable` names them with the reason.

    Subclasses give `_cells` (what to decode for some rows of the source) and `_name` (what to call a row).

    Args:
        count (`int`): number of images.
        channels (`int`): 3 (RGB) or 1 (grey).
        max_unreadable (`float`, *optional*): share of unreadable images that `check` accepts, in [0, 1]. By default
            half of up to 50 images, 25 of up to 250, and a tenth of more.
        place (`str`): where the images are, for messages.
    """

    _headers_read = HEADERS
    _sampled = SAMPLED  # images that settle the pixel format

    def __init__(self, count: int, labels, label_names, *, channels: int, max_unreadable: float | None, place: str):
        super().__init__(labels, label_names)
        if channels not in (1, 3):
            raise DataError(f"channels={channels!r}: give 3 for RGB or 1 for grey.")
        if max_unreadable is not None and not 0 <= max_unreadable <= 1:
            raise DataError(f"max_unreadable={max_unreadable!r} is a share: give a number from 0 to 1.")
        self.channels, self.max_unreadable, self.place = channels, max_unreadable, place
        self._rows = np.arange(count)
        # One byte a row of the source: workers write single bytes, so no lock is needed.
        self._state = torch.zeros(count, dtype=torch.uint8).share_memory_()
        self._headers: list[Header] | None = None
        self._settled: list[PixelFormat] = []  # one list for all subsets, too
        self._shortest_side: int | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def __getitems__(self, indices: list[int]) -> list[dict]:
        indices = self._positions(indices)
        cells = self._cells(self._rows[indices].tolist())
        return [self._readable(index, cell) for index, cell in zip(indices, cells, strict=True)]

    def subset(self, indices: Sequence[int]) -> "DecodedImages":
        return self._picked(indices)

    @property
    def pixel_format(self) -> PixelFormat:
        """How stored values become pixels: settled once for the set and all its subsets, from images all over it."""
        if not self._settled:
            self._settled.append(self._settle())
        return self._settled[0]

    @pixel_format.setter
    def pixel_format(self, pixel_format: PixelFormat) -> None:
        self._settled[:] = [pixel_format]

    def _settle(self) -> PixelFormat:
        return settle_pixel_format(self._some(), self.channels)

    def reduce_to(self, shortest_side: int | None) -> None:
        """From now on, reduce larger images to this many pixels on their short side while they are decoded."""
        self._shortest_side = shortest_side

    def check(self) -> None:
        """
        Judge the whole data set: read the headers of up to 2000 evenly spread images, and decode up to 64 of these.

        Raises:
            DataError: if no image can be read, or certainly more than `max_unreadable` of all images cannot.
        """
        errors: dict[int, Exception] = {}
        headers: dict[int, Header] = {}
        shapes: dict[int, torch.Size] = {}
        tried = self._rows[spread(len(self), self._headers_read)].tolist()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            for start in range(0, len(tried), 100):
                rows = tried[start : start + 100]
                for row, cell in zip(rows, self._cells(rows), strict=True):
                    self._attempt(self._header, row, cell, headers, errors)
            broken = len(errors)
            chosen = to_decode(headers)  # only decoding finds a file that ends too soon
            for row in chosen:
                self._attempt(self._shape, row, self._cells([row])[0], shapes, errors)
        self._headers = list(headers.values())
        share = at_least(broken, len(tried), len(self))
        share += (1 - share) * at_least(len(errors) - broken, len(chosen), len(headers))
        self._judge(errors, share)

    def readable(self) -> "DecodedImages":
        """The images that are not known to be unreadable."""
        good = (self._state.numpy()[self._rows] == READABLE).nonzero()[0]
        return self if len(good) == len(self) else self.subset(good)

    def sizes(self) -> list[tuple[int, int]]:
        return [(header.width, header.height) for header in self.headers()]

    def headers(self) -> list[Header]:
        """Size and format of up to 2000 evenly spread images of the whole data set, as `check` found them."""
        if self._headers is None:
            self.check()
        return self._headers

    def names(self, indices: Sequence[int]) -> list[str]:
        """What to call these images in a message."""
        return [self._name(int(self._rows[index])) for index in indices]

    def same_source(self, other: "DecodedImages") -> bool:
        """Whether both are subsets of one data set, and share what is known of unreadable images."""
        return self._state is other._state

    def count_unreadable(self) -> int:
        """How many images of the whole data set are known to be unreadable."""
        return int(self._state.sum())

    def unreadable(self, limit: int | None = None) -> list[tuple[str, str]]:
        """
        Name and reason of the images of the whole data set that are known to be unreadable, at most `limit`.

        They are looked at once more here, because a DataLoader worker cannot hand its exception over.
        """
        return self._reasons((self._state == UNREADABLE).nonzero().flatten()[:limit].tolist())

    def report(self) -> str | None:
        """The images of the whole data set that could not be read so far, a line each up to 20, or None."""
        count = self.count_unreadable()
        if not count:
            return None
        lines = [f"{count} of {counted(len(self._state))} in {self.place} could not be read and were not used:"]
        lines += [f"  {name}: {reason}" for name, reason in self.unreadable(LINES_SHOWN)]
        if count > LINES_SHOWN:
            lines.append(f"  and {count - LINES_SHOWN} more")
        return "\n".join(lines)

    def _cells(self, rows: list[int]) -> list:
        raise NotImplementedError

    def _name(self, row: int) -> str:
        raise NotImplementedError

    def _image(self, row: int, cell) -> tuple:
        """What `decode_image` takes, and the label where the source gives one with the image."""
        return cell, None

    def _header(self, row: int, cell) -> Header:
        return read_header(self._image(row, cell)[0], self._decoded)

    def _decode(self, row: int, cell) -> tuple[torch.Tensor, int | None]:
        image, label = self._image(row, cell)
        return self._decoded(image), label

    def _shape(self, row: int, cell) -> torch.Size:
        return self._decode(row, cell)[0].shape

    def _decoded(self, image) -> torch.Tensor:
        return decode_image(image, self.channels, self.pixel_format, self._shortest_side)

    def _some(self) -> Iterator:
        """Evenly spread images of the whole data set, as they are stored."""
        for row in spread(len(self._state), self._sampled):
            try:
                yield self._image(row, self._cells([row])[0])[0]
            except DataError:
                raise
            except Exception:  # reported when it is its turn
                continue

    def _attempt(self, read, row: int, cell, results: dict, errors: dict) -> None:
        try:
            results[row] = read(row, cell)
        except DataError:  # a wrong argument, not a bad image
            raise
        except Exception as error:  # damaged files make Pillow raise almost anything, SyntaxError included
            _raise_if_of_the_system(error)
            self._state[row] = UNREADABLE
            errors[row] = error

    def _readable(self, index: int, cell) -> dict:
        state = self._state.numpy()  # the same memory, ten times faster to index
        for _ in range(len(self)):
            row = int(self._rows[index])
            if state[row] == READABLE:
                try:
                    image, label = self._decode(row, self._cells([row])[0] if cell is None else cell)
                except DataError:
                    raise
                except Exception as error:
                    _raise_if_of_the_system(error)
                    state[row] = UNREADABLE
                else:
                    if self._labels is not None:
                        label = int(self._labels[index])
                    sample = {self.sample_key: image, "index": index}
                    if self.captions is not None:
                        sample["text"] = self.captions[index]
                    return sample if label is None else {**sample, "label": label}
            index, cell = (index + 1) % len(self), None
        raise DataError(f"{self._none()}{self._examples(self._rows)}: check the files.")

    def _judge(self, errors: dict[int, Exception], share: float) -> None:
        if len(errors) == len(self):
            raise DataError(f"{self._none()}{self._examples(errors)}: check the files.") from next(
                iter(errors.values())
            )
        accepted = allowed_unreadable(len(self), self.max_unreadable)
        expected = round(share * len(self))
        if max(expected, len(errors)) <= accepted:
            return
        many = f"At least {expected}" if expected > len(errors) else str(len(errors))
        raise DataError(
            f"{many} of the {len(self)} {self.noun}s in {self.place} cannot be read, more than the {accepted} that "
            f"are accepted{self._examples(errors)}: remove or repair these files, or raise max_unreadable."
        )

    def _none(self) -> str:
        if len(self) == 1:
            return f"The only {self.noun} in {self.place} cannot be read"
        return f"None of the {len(self)} {self.noun}s in {self.place} can be read"

    def _examples(self, rows: Sequence[int]) -> str:
        return f" ({'; '.join(f'{name}: {reason}' for name, reason in self._reasons(list(rows)[:NAMES_SHOWN]))})"

    def _reasons(self, rows: list[int]) -> list[tuple[str, str]]:
        found = []
        for row in rows:
            image = None
            try:
                image = self._image(row, self._cells([row])[0])[0]
                self._decoded(image)
            except Exception as error:
                found.append((self._name(row), reason_of(error, image)))
            else:
                found.append((self._name(row), "it could not be read during the run, but can be read now"))
        return found


def _raise_if_of_the_system(error: Exception) -> None:
    if isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM:
        raise error
