"""A source of images as it was found: its parts, how they were made, and what to say about it."""

from collections import Counter
from collections.abc import Sized
from dataclasses import dataclass, field

from .base import ImageDataset, is_labelled
from .captions import with_captions
from .decoded import NAMES_SHOWN, DecodedImages
from .errors import DataError
from .listing import counted
from .splits import fingerprint
from .stream import ImageStream


@dataclass
class Data:
    """
    What to train on and what to test on.

    Attributes:
        name (`str`): the source, as a short name.
        train ([`ImageDataset`] or [`ImageStream`]).
        test ([`ImageDataset`], [`ImageStream`] or `None`): None where there is nothing to score on.
        label_names (`list[str]` or `None`): names of the classes of `train`.
        description (`str`): what the images are and what the labels mean, for model cards.
        licence (`str`): under which terms, as far as it is known.
        split (`dict`): how the parts were made (`"made_by"`, and `"seed"` and `"test_fraction"` where the test part
            was held out), the number of images in each (`"train"`, `"test"`), and a short hash of what the test images
            are called (`"test_sha256"`). Two runs with the same hash were tested on the same images.
        labels_from (`str`): where the labels come from, or why there are none.
        left_out (`list[str]`): what was found beside the images, a phrase for every reason.
        has_upright (`bool`): `False` for images that may be turned, such as textures.
        captions_from (`str`): where the captions come from, where there are any.
    """

    name: str
    train: ImageDataset | ImageStream
    test: ImageDataset | ImageStream | None
    label_names: list[str] | None
    description: str
    licence: str
    split: dict = field(default_factory=dict)
    labels_from: str = ""
    left_out: list[str] = field(default_factory=list)
    has_upright: bool = True
    captions_from: str = ""

    def sizes(self) -> list[tuple[int, int]]:
        """(width, height) in pixels of evenly spread images, upright, without decoding them; empty for a stream."""
        return self.train.sizes() if isinstance(self.train, ImageDataset) else []

    def unreadable(self) -> list[tuple[str, str]]:
        """Name and reason of every image that is known to be unreadable by now."""
        return [found for source in self._sources() for found in source.unreadable()]

    def report(self) -> str | None:
        """The images that could not be read so far, with their reasons, or None."""
        streams = [part for part in (self.train, self.test) if isinstance(part, ImageStream)]
        return "\n".join(filter(None, (source.report() for source in [*self._sources(), *streams]))) or None

    def take_captions(self, column: str | None) -> None:
        """
        Read the captions, and leave out the images without one.

        Args:
            column (`str`, *optional*): where they stand; by default the first with a usual name.

        Raises:
            DataError: for a stream, a source without such a column, or one without a single caption.
        """
        if not isinstance(self.train, ImageDataset):
            raise DataError("Captions of a stream are not read: give a data set with a length.")
        total = len(self.train) + len(self.test or ())
        self.train, self.captions_from = with_captions(self.train, column)
        if isinstance(self.test, ImageDataset):
            self.test, _ = with_captions(self.test, column)
        if missing := total - len(self.train) - len(self.test or ()):
            self.left_out = [*self.left_out, f"{counted(missing)} without a caption"]

    def summary(self) -> list[str]:
        """What was found, in at most seven lines for the start of a run."""
        return [
            line
            for line in (
                self._images(),
                self._classes(),
                self._captions(),
                self._pictures(),
                self._lost(),
                self._left_out(),
            )
            if line is not None
        ]

    def record_split(self, **made: object) -> None:
        """Set `split` from how it was made and from the images that are in the parts now."""
        self.split = dict(made)
        for name, part in (("train", self.train), ("test", self.test)):
            if isinstance(part, Sized):
                self.split[name] = len(part)
        if isinstance(self.test, ImageDataset):
            self.split["test_sha256"] = fingerprint(self.test.keys())

    def _sources(self) -> list[DecodedImages]:
        """The data sets that know of unreadable images, one for all its subsets."""
        parts = [part for part in (self.train, self.test) if isinstance(part, DecodedImages)]
        return parts[:1] if len(parts) == 2 and parts[0].same_source(parts[1]) else parts

    def _images(self) -> str:
        if not isinstance(self.train, ImageDataset):
            return f"{self.name}: a stream of images, read once an epoch; how many there are is not known."
        train, test = len(self.train), len(self.test) if isinstance(self.test, ImageDataset) else 0
        noun = self.train.noun
        if not test:
            why = f" ({self.split['made_by']})" if is_labelled(self.train) and self.split else ""
            return f"{self.name}: {counted(train, noun)}, all to train on{why}."
        made_by = self.split.get("made_by", "as they came")
        return f"{self.name}: {train + test} {noun}s, {train} to train on, {test} to test on ({made_by})."

    def _classes(self) -> str:
        if not isinstance(self.train, ImageDataset):
            names = f"{len(self.label_names)} classes" if self.label_names else "no names of classes"
            return f"Labels: {names}; a stream is not scored."
        if not is_labelled(self.train):
            why = self.labels_from or "the source has none"
            if self.train.labels is not None:
                classes = [label for label in self.train.labels.unique().tolist() if label >= 0]
                names = [self.label_names[label] if self.label_names else str(label) for label in classes]
                why = f"of {why} only {', '.join(names) or 'none'} has images that can be read"
            return f"No labels: nothing will be scored ({why})."
        counts = Counter(self.train.labels.tolist())
        unlabelled = counts.pop(-1, 0)
        names = [self.label_names[label] if self.label_names else str(label) for label in sorted(counts)]
        shown = ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
        smallest, largest = min(counts.values()), max(counts.values())
        each = f"{smallest}" if smallest == largest else f"{smallest} to {largest}"
        line = f"{len(counts)} classes ({self.labels_from}): {shown}; {each} to train on in each."
        if unlabelled:
            line += f" Without a label, and only trained on: {unlabelled}{self._examples_unlabelled()}."
        return line

    def _captions(self) -> str | None:
        if not self.captions_from:
            return None
        lengths = sorted(len(caption.split()) for caption in self.train.captions)
        return f"Captions: {self.captions_from}; median {lengths[len(lengths) // 2]} words, longest {lengths[-1]}."

    def _pictures(self) -> str | None:
        if isinstance(self.train, ImageDataset) and (described := self.train.describe()):
            return described
        sizes = sorted(self.sizes(), key=lambda size: size[0] * size[1])
        if not sizes:
            return None
        width, height = (sorted(side)[len(sizes) // 2] for side in zip(*sizes, strict=True))
        if sizes[0] == sizes[-1]:
            text = f"Sizes: all {width} x {height} pixels"
        else:
            text = f"Sizes: median {width} x {height} pixels, smallest %d x %d, largest %d x %d" % (
                sizes[0] + sizes[-1]
            )
        if len(sizes) < len(self.train):
            text += f" (of {len(sizes)} looked at)"
        if isinstance(self.train, DecodedImages):
            formats = Counter(header.format for header in self.train.headers() if header.format)
            if formats:
                text += "; " + ", ".join(
                    f"{count * 100 / len(sizes):.0f} % {name}" for name, count in formats.most_common(3)
                )
        return f"{text}; {self.train.pixel_format.describe()}."

    def _lost(self) -> str | None:
        count = sum(source.count_unreadable() for source in self._sources())
        if not count:
            return None
        shown = [f"{name}: {reason}" for source in self._sources() for name, reason in source.unreadable(3)]
        return (
            f"Cannot be read: {counted(count, self.train.noun)} ({'; '.join(shown[:3])}{'; …' if count > 3 else ''})."
        )

    def _left_out(self) -> str | None:
        return f"Left out: {'; '.join(self.left_out)}." if self.left_out else None

    def _examples_unlabelled(self) -> str:
        if not isinstance(self.train, DecodedImages):
            return ""
        names = self.train.names((self.train.labels < 0).nonzero().flatten()[:3].tolist())
        return f" ({', '.join(names)}, …)" if len(names) == 3 else f" ({', '.join(names)})"
