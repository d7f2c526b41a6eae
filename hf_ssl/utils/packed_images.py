"""Images of different sizes in one buffer: one copy to the device, one piece of shared memory from a worker."""

from collections.abc import Iterator, Sequence

import torch


class PackedImages(Sequence):
    """
    A batch of images of any sizes, in the place of a list of tensors: `len`, iteration and `images[i]`, a view of
    shape `(channels, height_i, width_i)` into the common buffer.

    Args:
        pixels (`torch.Tensor` of one dimension): the values of all images, one image after the other.
        sizes (`torch.LongTensor` of shape `(batch, 2)`): height and width of each image, in pixels; on the CPU.
        channels (`int`): of every image.
        interleaved (`bool`): whether the channels of a pixel lie side by side (height, width, channels), as decoders
            write them, or one plane after the other (channels, height, width).
        offsets (`torch.LongTensor` of shape `(batch,)`, *optional*): where in `pixels` each image begins, on the CPU;
            by default one follows the other.
    """

    def __init__(
        self,
        pixels: torch.Tensor,
        sizes: torch.LongTensor,
        channels: int,
        interleaved: bool,
        offsets: torch.LongTensor | None = None,
    ):
        self.pixels, self.sizes, self.channels, self.interleaved = pixels, sizes, channels, interleaved
        if offsets is None:
            values = channels * sizes.prod(1)
            offsets = values.cumsum(0) - values
        self.offsets = offsets

    @classmethod
    def pack(cls, images: Sequence[torch.Tensor]) -> "PackedImages":
        """
        One copy of images `(channels, height, width)`, in the order in which the first of them is stored; none of a
        stacked tensor that fills its memory.

        Raises:
            ValueError: for images with another number of dimensions, or of different channels or dtypes.
        """
        shapes = {(image.ndim, image.shape[0], image.dtype) for image in images}
        if len(shapes) != 1 or images[0].ndim != 3:
            raise ValueError(
                "A batch needs images (channels, height, width) with one number of channels and one type of values, "
                f"got {sorted({(tuple(image.shape), str(image.dtype)) for image in images})[:4]}."
            )
        interleaved = not images[0].is_contiguous()
        if isinstance(images, torch.Tensor):
            pixels = (images.permute(0, 2, 3, 1) if interleaved else images).reshape(-1)
        else:
            pixels = torch.cat([(image.permute(1, 2, 0) if interleaved else image).reshape(-1) for image in images])
        sizes = torch.tensor([image.shape[1:] for image in images])
        return cls(pixels, sizes, images[0].shape[0], interleaved)

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, i: int) -> torch.Tensor:
        height, width = self.sizes[i].tolist()
        start = int(self.offsets[i])
        values = self.pixels[start : start + self.channels * height * width]
        if self.interleaved:
            return values.view(height, width, self.channels).permute(2, 0, 1)
        return values.view(self.channels, height, width)

    def __iter__(self) -> Iterator[torch.Tensor]:
        return map(self.__getitem__, range(len(self)))

    def repeat_interleave(self, repeats: int, dim: int = 0) -> "PackedImages":
        """Each image `repeats` times in a row; nothing is copied. The only `dim` is 0."""
        sizes, offsets = (values.repeat_interleave(repeats, 0) for values in (self.sizes, self.offsets))
        return PackedImages(self.pixels, sizes, self.channels, self.interleaved, offsets)

    def pin_memory(self) -> "PackedImages":
        """In page-locked memory, which `DataLoader(pin_memory=True)` asks for."""
        return self._with(self.pixels.pin_memory())

    def to(self, *args, **kwargs) -> "PackedImages":
        """On another device: arguments are those of `torch.Tensor.to`."""
        return self._with(self.pixels.to(*args, **kwargs))

    def _with(self, pixels: torch.Tensor) -> "PackedImages":
        return PackedImages(pixels, self.sizes, self.channels, self.interleaved, self.offsets)

    def __reduce__(self):
        # As arrays, which go by value: a tensor would be a file of its own between two processes.
        state = self.pixels, self.sizes.numpy(), self.channels, self.interleaved, self.offsets.numpy()
        return _restored, state

    @property
    def device(self) -> torch.device:
        return self.pixels.device

    @property
    def dtype(self) -> torch.dtype:
        return self.pixels.dtype


def _restored(pixels, sizes, channels: int, interleaved: bool, offsets) -> PackedImages:
    return PackedImages(pixels, torch.from_numpy(sizes), channels, interleaved, torch.from_numpy(offsets))
