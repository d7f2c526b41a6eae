"""Images that fit in memory."""

from collections.abc import Sequence

import torch

from .base import ImageDataset
from .errors import DataError
from .images import SAMPLED, settle_pixel_format
from .listing import counted
from .pixels import PixelFormat


class TensorImages(ImageDataset):
    """
    A data set held in one tensor.

    Args:
        images (`torch.Tensor` of dtype uint8 and shape `(N, C, H, W)`, C in {1, 3}).
        labels (`torch.Tensor` of shape `(N,)`, *optional*): the class of every image.
        label_names (`list[str]`, *optional*): the name of every class.
        captions (`list[str]`, *optional*): the text that belongs to every image.

    Raises:
        DataError: on another dtype or shape, or on as many labels as there are not images.
    """

    def __init__(
        self,
        images: torch.Tensor,
        labels=None,
        label_names: Sequence[str] | None = None,
        captions: Sequence[str] | None = None,
    ):
        super().__init__(labels, label_names)
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
            raise DataError(
                f"images is a {images.dtype} tensor of shape {tuple(images.shape)}: give uint8 (N, C, H, W), C 1 or 3."
            )
        if self._labels is not None and self._labels.shape != images.shape[:1]:
            raise DataError(
                f"{counted(len(images))} came with labels of shape {tuple(self._labels.shape)}: give one each."
            )
        if captions is not None and len(captions) != len(images):
            raise DataError(f"{counted(len(images))} came with {counted(len(captions), 'caption')}: give one each.")
        self.images, self.captions = images, None if captions is None else list(captions)

    @property
    def pixel_format(self) -> PixelFormat:
        """RGB or gray, 8 bits."""
        step = -(-len(self) // SAMPLED) or 1
        return settle_pixel_format(self.images[::step], self.images.shape[1])

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, indices: list[int]) -> list[dict]:
        indices = self._positions(indices)
        samples = [{"image": self.images[index], "index": index} for index in indices]  # the memory of the whole
        if self._labels is not None:
            for sample, label in zip(samples, self._labels[indices].tolist(), strict=True):
                sample["label"] = label
        if self.captions is not None:
            for sample, index in zip(samples, indices, strict=True):
                sample["text"] = self.captions[index]
        return samples

    def subset(self, indices: Sequence[int]) -> "TensorImages":
        picked = self._picked(indices)
        picked.images = self.images[torch.as_tensor(indices, dtype=torch.long)]
        return picked
