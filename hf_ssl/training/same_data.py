"""What tells the images of a run from others."""

import hashlib

import torch

from ..data import ImageDataset


def fingerprint(dataset, labelled: torch.Tensor | None = None) -> str | None:
    """
    A hash of the names and labels of the images, in their order; of images without names, of their number. `None` for
    a stream, and for data that are not of `hf_ssl.data`.

    Args:
        labelled (`torch.LongTensor`, *optional*): the images whose label is used, where it is not that of all.
    """
    if not isinstance(dataset, ImageDataset):
        return None
    digest = hashlib.sha256()
    for key in dataset.keys():
        digest.update(key + b"\0")
    if dataset.labels is not None:
        digest.update(dataset.labels.numpy().tobytes())
    if labelled is not None:
        digest.update(labelled.numpy().tobytes())
    return digest.hexdigest()
