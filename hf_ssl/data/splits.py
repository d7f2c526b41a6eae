"""Which images are for training, which for testing, and which few are enough. Deterministic in the seed."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch

from .base import ImageDataset, is_labelled
from .errors import DataError
from .listing import counted


def check_split(test_fraction: float, seed: int) -> None:
    """
    Raises:
        DataError: if `test_fraction` is not in [0, 1) or `seed` is negative.
    """
    if not 0 <= test_fraction < 1:
        raise DataError(f"test_fraction={test_fraction!r} is a share: give a number from 0 up to, not including, 1.")
    if seed < 0:
        raise DataError(f"seed={seed}: give a seed of 0 or more.")


def split_indices(
    keys: Sequence[bytes], labels: torch.Tensor, test_fraction: float, seed: int
) -> tuple[list[int], list[int]]:
    """
    A stratified split that depends only on what every image is called and on `seed`.

    The images of a class are ranked by a hash of their keys, and the first ones are for testing: neither the order of
    the files nor anything random plays a role, and when images are added, few of the others change sides. Every class
    with at least two images gives at least one to each side, as long as `test_fraction` is above 0; images without a
    label are for training.

    Args:
        keys (`Sequence[bytes]`): what tells every image from the others, see [`ImageDataset.keys`].
        labels (`torch.Tensor` of shape `(N,)`): -1 where the class is not known.
        test_fraction (`float`): share of each class to test on, in [0, 1).

    Returns:
        The sorted indices of the training and of the test images.

    Raises:
        DataError: if `test_fraction` is not in [0, 1) or `seed` is negative.
    """
    check_split(test_fraction, seed)
    salt = str(seed).encode()
    digests = (hashlib.blake2b(salt + b"\0" + key, digest_size=8).digest() for key in keys)
    rank = np.frombuffer(b"".join(digests), dtype=np.uint64)
    test = np.zeros(len(keys), dtype=bool)
    for label, members in _classes(labels, np.argsort(rank, kind="stable")):
        if label >= 0 and test_fraction:
            wanted = max(round(len(members) * test_fraction), 1)
            test[members[: min(wanted, len(members) - 1)]] = True
    return np.flatnonzero(~test).tolist(), np.flatnonzero(test).tolist()


def hold_out(train: ImageDataset, test_fraction: float, seed: int) -> tuple[ImageDataset, ImageDataset | None, dict]:
    """Two parts of the labelled images, or all to train on and None; and how they were made, see [`Data`]."""
    if not is_labelled(train):
        return train, None, {"made_by": "nothing is held out: nothing to score by"}
    rest, held_out = split_indices(train.keys(), train.labels, test_fraction, seed)
    if not held_out:
        why = "no class has two" if test_fraction else "as asked"
        return train, None, {"made_by": f"nothing is held out: {why}"}
    made = {"made_by": f"{test_fraction:.0%} of every class, data seed {seed}"}
    made |= {"seed": seed, "test_fraction": test_fraction}
    return train.subset(rest), train.subset(held_out), made


def choose_test(
    train: ImageDataset, tests: dict[str, ImageDataset], test_fraction: float, seed: int, *, asked: bool = False
) -> tuple[ImageDataset, ImageDataset | None, dict, list[str]]:
    """
    The parts of a source that comes with `tests`, best first, or with none: as [`hold_out`], and what is left out.

    A test part without labels is passed over where the training images have some, unless the user `asked` for it.
    """
    labelled = is_labelled(train)
    usable = [name for name, test in tests.items() if asked or not labelled or test.labels is not None]
    left_out = [
        f"not used for testing ({name}: {counted(len(test))}{'' if test.labels is not None else ' without labels'})"
        for name, test in tests.items()
        if name not in usable[:1]
    ]
    if usable:
        return train, tests[usable[0]], {"made_by": f"{usable[0]} to test on, as the source has it"}, left_out
    return *hold_out(train, test_fraction, seed), left_out


def few(dataset: ImageDataset, limit: int, seed: int) -> ImageDataset:
    """At most `limit` images of `dataset`, see [`few_indices`]."""
    return dataset if len(dataset) <= limit else dataset.subset(few_indices(len(dataset), dataset.labels, limit, seed))


def few_indices(count: int, labels: torch.Tensor | None, limit: int, seed: int) -> list[int]:
    """
    At most `limit` of `count` indices, sorted, with the classes as even as they can be.

    Raises:
        DataError: if `limit` is below 1.
    """
    if limit < 1:
        raise DataError(f"limit={limit!r}: give at least 1, or None for all images.")
    order = np.random.default_rng(seed).permutation(count)
    classes = [order] if labels is None else [members for _, members in _classes(labels, order)]
    # First one of every class, then a second one of every class, and so on until there are enough.
    turns = np.concatenate([np.arange(len(members)) for members in classes] or [np.empty(0, int)])
    order = np.argsort(turns, kind="stable")[:limit]
    return np.sort(np.concatenate(classes or [np.empty(0, int)])[order]).tolist()


def fingerprint(keys: Sequence[bytes]) -> str:
    """A short hash of the images of a part, whatever their order, so that two splits can be compared."""
    return hashlib.sha256(b"\n".join(sorted(keys))).hexdigest()[:16]


def _classes(labels: torch.Tensor, order: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Every label with the indices of its images, in the given order of all images."""
    ordered = labels.numpy()[order]
    by_label = order[np.argsort(ordered, kind="stable")]
    present, starts = np.unique(np.sort(ordered), return_index=True)
    return list(zip(present.tolist(), np.split(by_label, starts[1:]), strict=True)) if len(present) else []
