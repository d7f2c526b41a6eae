"""Which level of folders names the classes, and which level the splits."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .errors import DataError

NEARLY_ALL = 0.9  # share of the images that have to lie in a folder of the level that names the classes
TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing", "val", "valid", "validation")  # in the order in which they are taken

Parts = tuple[str, ...]  # a folder relative to the root


@dataclass(frozen=True)
class Levels:
    """
    How many folders with images there are at every level below a root, and how many images lie in them.

    Attributes:
        names (`list[set[str]]`): the names of the folders at level 1, 2, and so on.
        covered (`list[int]`): the number of images that lie in a folder of that level or below it.
        count (`int`): number of images.
    """

    names: list[set[str]]
    covered: list[int]
    count: int

    @classmethod
    def of(cls, images_in: dict[Parts, int]) -> "Levels":
        deepest = max(map(len, images_in), default=0)
        names = [{parts[level] for parts in images_in if len(parts) > level} for level in range(deepest)]
        covered = [sum(n for parts, n in images_in.items() if len(parts) > level) for level in range(deepest)]
        return cls(names, covered, sum(images_in.values()))

    def choose(self, asked: int | None, place: str) -> int:
        """
        The level that names the classes; 0 for none.

        By default the shallowest one with at least two folders that hold nearly all images, so that a folder around
        all the others (`photos/all/cats`, `photos/all/dogs`) is passed over.

        Raises:
            DataError: if the level `asked` for does not exist or has fewer than two folders.
        """
        possible = [level for level, names in enumerate(self.names, start=1) if len(names) > 1]
        if asked is None:
            enough = NEARLY_ALL * self.count
            return next((level for level in possible if self.covered[level - 1] >= enough), 0)
        if asked == 0 or asked in possible:
            return asked
        known = ", ".join(f"level {level} has {len(self.names[level - 1])} folders" for level in possible)
        raise DataError(
            f"label_level={asked} does not name classes in {place}: "
            + (f"{known}; give one of these" if known else "no level has two folders with images; leave it out")
            + ", or 0 for no labels."
        )

    def why_not(self) -> str:
        """Why no level was chosen, and what can be done about it."""
        level = next((level for level, names in enumerate(self.names, start=1) if len(names) > 1), None)
        if level is None:
            return "no two folders to name classes"
        inside = self.covered[level - 1]
        return (
            f"only {inside} of {self.count} images lie in one of the {len(self.names[level - 1])} folders at level "
            f"{level}; label_level={level} takes these as classes"
        )


def class_of(parts: Parts, level: int) -> str | None:
    """The class of the images in this folder, or None where it does not reach down to the level."""
    return parts[level - 1] if 0 < level <= len(parts) else None


def split_level(folders: Iterable[Parts]) -> int | None:
    """The shallowest level at which a folder for training and one for testing exist, or None."""
    folders = list(folders)
    for level in range(max(map(len, folders), default=0)):
        names = {parts[level].lower() for parts in folders if len(parts) > level}
        if names.intersection(TRAIN_NAMES) and names.intersection(TEST_NAMES):
            return level + 1
    return None


def without_level(parts: Parts, level: int) -> Parts:
    """The same folder as if that level did not exist."""
    return parts[: level - 1] + parts[level:]


def count_images(folders: Sequence[Parts], folder_of: Sequence[int]) -> dict[Parts, int]:
    """How many images lie in each folder, where image i lies in `folders[folder_of[i]]`."""
    counts = Counter()
    for index, count in Counter(folder_of).items():
        counts[folders[index]] += count
    return dict(counts)
