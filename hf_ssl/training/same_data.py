"""What tells the images of a run from others."""

import hashlib

from ..data import ImageDataset


def fingerprint(dataset) -> str | None:
    """
    A hash of the names and labels of the images, in their order; of images without names, of their number. `None` for
    a stream, and for data that are not of `hf_ssl.data`.
    """
    if not isinstance(dataset, ImageDataset):
        return None
    digest = hashlib.sha256()
    for key in dataset.keys():
        digest.update(key + b"\0")
    if dataset.labels is not None:
        digest.update(dataset.labels.numpy().tobytes())
    return digest.hexdigest()
