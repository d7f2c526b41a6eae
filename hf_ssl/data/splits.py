"""Which images are for training, which for testing, and which few are enough. Deterministic in the seed."""

import numpy as np
import torch

from .errors import DataError


def split_indices(
    count: int, labels: torch.Tensor | None, test_fraction: float, seed: int
) -> tuple[list[int], list[int]]:
    """
    A stratified split.

    Every class with at least two images gives at least one to each side, as long as `test_fraction` is above 0.

    Args:
        count (`int`): number of images.
        labels (`torch.Tensor` of shape `(count,)`, *optional*): without them all images count as one class.
        test_fraction (`float`): share of each class to test on, in [0, 1).

    Returns:
        The sorted indices of the training and of the test images.

    Raises:
        DataError: if `test_fraction` is not in [0, 1) or `seed` is negative.
    """
    if not 0 <= test_fraction < 1:
        raise DataError(f"test_fraction={test_fraction!r} is a share: give a number from 0 up to, not including, 1.")
    test: list[int] = []
    for members in _shuffled_classes(count, labels, seed):
        wanted = round(len(members) * test_fraction)
        if test_fraction and len(members) > 1:
            wanted = min(max(wanted, 1), len(members) - 1)
        test.extend(members[:wanted].tolist())
    chosen = set(test)
    return [i for i in range(count) if i not in chosen], sorted(test)


def few_indices(count: int, labels: torch.Tensor | None, limit: int, seed: int) -> list[int]:
    """
    At most `limit` of `count` indices, sorted, with the classes as even as they can be.

    Raises:
        DataError: if `limit` is below 1 or `seed` is negative.
    """
    if limit < 1:
        raise DataError(f"limit={limit!r}: give at least 1, or None for all images.")
    classes = _shuffled_classes(count, labels, seed)
    # First one of every class, then a second one of every class, and so on until there are enough.
    turns = np.concatenate([np.arange(len(members)) for members in classes] or [np.empty(0, int)])
    order = np.argsort(turns, kind="stable")[:limit]
    return np.sort(np.concatenate(classes or [np.empty(0, int)])[order]).tolist()


def _shuffled_classes(count: int, labels: torch.Tensor | None, seed: int) -> list[np.ndarray]:
    if seed < 0:
        raise DataError(f"seed={seed}: give a seed of 0 or more.")
    order = np.random.default_rng(seed).permutation(count)
    if labels is None:
        return [order]
    shuffled = labels.numpy()[order]
    return [order[shuffled == label] for label in np.unique(shuffled)]
