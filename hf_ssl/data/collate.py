"""Samples to a batch."""

import torch

from ..utils.packed_images import PackedImages
from .errors import DataError


def collate_images(samples: list[dict], with_labels: bool = False, pack: bool = True) -> dict:
    """
    Batch samples of an image data set. Labels are left out unless asked for: pretraining must not see them.

    Args:
        samples (`list[dict]`): B samples `{"image", "index"}`, with `"label"` if `with_labels`.
        with_labels (`bool`, *optional*, defaults to `False`): add `"labels"`.
        pack (`bool`, *optional*, defaults to `True`): `False` leaves images of different sizes in a list: views that
            are made right here need no copy.

    Returns:
        `dict`: `"images"`, a uint8 tensor `(B, C, H, W)` if all images have one shape and else [`PackedImages`];
        `"index"`, a LongTensor `(B,)`; and `"labels"`, a LongTensor `(B,)`, if asked for.

    Raises:
        DataError: if `with_labels` and a sample has no label.
    """
    images = [sample["image"] for sample in samples]
    same = all(image.shape == images[0].shape for image in images)
    batch = {
        "images": _stacked(images) if same else PackedImages.pack(images) if pack else images,
        "index": torch.tensor([sample["index"] for sample in samples], dtype=torch.long),
    }
    if with_labels:
        if any("label" not in sample for sample in samples):
            raise DataError("with_labels=True, but the data set has no labels: give a labelled one, or label_column.")
        batch["labels"] = torch.tensor([sample["label"] for sample in samples], dtype=torch.long)
    return batch


def _stacked(images: list[torch.Tensor]) -> torch.Tensor:
    """`torch.stack`, which would rearrange images that are stored pixel by pixel, at five times the cost of a copy."""
    if images[0].is_contiguous():
        return torch.stack(images)
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)
