"""Samples to a batch."""

from collections.abc import Sequence
from typing import Any

import torch

from ..utils.packed_images import PackedImages
from .errors import DataError


def collate_samples(
    samples: list[dict], keys: Sequence[str] = ("image",), with_labels: bool = False, pack: bool = True
) -> dict[str, Any]:
    """
    Batch samples of a data set by key. Labels are left out unless asked for: pretraining must not see them.

    Args:
        samples (`list[dict]`): B samples with `"index"` and each of `keys`, and `"label"` if `with_labels`.
        keys (`Sequence[str]`, *optional*, defaults to `("image",)`): entries to batch; see `sample_keys` of a method's
            processor.
        with_labels (`bool`, *optional*, defaults to `False`): add `"labels"`.
        pack (`bool`, *optional*, defaults to `True`): `False` leaves images of different sizes in a list: views that
            are made right here need no copy.

    Returns:
        `dict`: under each key a tensor `(B, ...)` if all samples hold tensors of one shape, [`PackedImages`] of
        `(channels, height, width)` of different sizes, and a list of anything else; `"index"`, a LongTensor `(B,)`;
        and `"labels"`, a LongTensor `(B,)`, if asked for.

    Raises:
        DataError: if a sample lacks one of the keys, or a label with `with_labels`.
    """
    for key in keys:
        if any(key not in sample for sample in samples):
            held = ", ".join(samples[0])
            raise DataError(f"The method needs {key!r} in every sample, but the data set holds {held}: give another.")
    batch: dict[str, Any] = {key: _together([sample[key] for sample in samples], pack) for key in keys}
    batch["index"] = torch.tensor([sample["index"] for sample in samples], dtype=torch.long)
    if with_labels:
        if any("label" not in sample for sample in samples):
            raise DataError("with_labels=True, but the data set has no labels: give a labelled one, or label_column.")
        batch["labels"] = torch.tensor([sample["label"] for sample in samples], dtype=torch.long)
    return batch


def _together(values: list, pack: bool):
    """Values of one key: stacked, packed or listed."""
    if not all(isinstance(value, torch.Tensor) for value in values):
        return values
    if all(value.shape == values[0].shape for value in values):
        return _stacked(values)
    return PackedImages.pack(values) if pack and values[0].ndim == 3 else values


def _stacked(values: list[torch.Tensor]) -> torch.Tensor:
    """`torch.stack`, which would rearrange images that are stored pixel by pixel, at five times the cost of a copy."""
    if values[0].ndim != 3 or values[0].is_contiguous():
        return torch.stack(values)
    return torch.stack([value.permute(1, 2, 0) for value in values]).permute(0, 3, 1, 2)
