"""Random crops and antialiased resizing of a batch, a crop of its own for each sample (pre-training's hot spot)."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F

from ..utils.packed_images import PackedImages

# Up to this many values an image is small: Python's overhead decides, so the batch goes through at once. A larger
# image goes through alone on a CPU, in torch's kernels for one size, of which that for uint8 is the fastest.
SMALL_IMAGE = 2**14
# Half-widths of the filters that `F.interpolate(antialias=True)` uses; its bicubic one has a = -0.5, as Pillow's.
SUPPORT = {"bilinear": 1, "bicubic": 2}


class Bands(NamedTuple):
    """
    A banded linear map along one image axis, another for each sample.

    Args:
        index (`torch.LongTensor` of shape `(batch, out, taps)`): which inputs make up an output.
        weight (`torch.FloatTensor` of shape `(batch, out, taps)`): their weights.
        taps (`list[int]` of length `batch`): how many leading taps of a sample can have a weight other than zero.
    """

    index: torch.Tensor
    weight: torch.Tensor
    taps: list[int]

    def samples(self, block: slice) -> "Bands":
        """The maps of some samples, with no more taps than they need."""
        taps = self.taps[block]
        return Bands(self.index[block, :, : max(taps)], self.weight[block, :, : max(taps)], taps)

    def sample(self, i: int) -> "Bands":
        """The map of sample `i` alone."""
        return self.samples(slice(i, i + 1))


def one_by_one(images: torch.Tensor | list[torch.Tensor]) -> bool:
    """Whether images `(channels, height, width)` are better processed one at a time."""
    return images[0].device.type == "cpu" and images[0].numel() > SMALL_IMAGE


def apply_bands(images: torch.Tensor, rows: Bands, columns: Bands) -> torch.Tensor:
    """
    Both axes of each image through their banded maps: two sparse matrix products.

    A row of the output is a weighted sum of a few rows of the input, which is what `F.embedding_bag` computes: at 224
    pixels five times faster on a CPU than dense products. In between the image has to be transposed in memory, which
    costs more than a product: so it stays as it is afterwards, and a second call turns it back.

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`): any dtype, stored row by row or column by
            column.

    Returns:
        `torch.FloatTensor` of shape `(batch, channels, rows out, columns out)`, stored the other way.
    """
    if len(images) > 1 and one_by_one(images):
        parts = [apply_bands(images[i : i + 1], rows.sample(i), columns.sample(i)) for i in range(len(images))]
        return torch.cat(parts)
    if images.stride(3) == 1:
        return _along_width(_along_height(images, rows), columns)
    return _along_height(_along_width(images, columns), rows)


def _along_height(images: torch.Tensor, rows: Bands) -> torch.Tensor:
    batch, channels, height, width = images.shape
    table = images.float().contiguous().view(-1, width)
    index = rows.index[:, None] + (torch.arange(batch * channels, device=table.device) * height).view(
        batch, channels, 1, 1
    )
    weight = rows.weight[:, None].expand(-1, channels, -1, -1)
    index, weight = (x.reshape(-1, x.shape[-1]) for x in (index, weight))  # [batch * channels * out, taps]
    bags = F.embedding_bag(index, table, per_sample_weights=weight, mode="sum")
    return bags.view(batch, channels, -1, width)


def _along_width(images: torch.Tensor, columns: Bands) -> torch.Tensor:
    return _along_height(images.transpose(2, 3), columns).transpose(2, 3)


def random_crop_boxes(
    heights: torch.Tensor,
    widths: torch.Tensor,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """
    Boxes of random resized crops (Inception's, arXiv:1409.4842; the algorithm is torchvision's `RandomResizedCrop`).

    The area is uniform in `scale` (share of the image), the logarithm of the aspect ratio uniform in that of `ratio`;
    the first of ten draws that fits is taken, else the largest centre crop within `ratio`. A sample always consumes
    the same number of random draws, so its box does not depend on the other images.

    Args:
        heights, widths (`torch.LongTensor` of shape `(batch,)`): sizes of the images in pixels, at least 1.
        scale, ratio (`tuple[float, float]`): low and high, above 0.
        generator (`torch.Generator`, *optional*): draws happen on its device.

    Returns:
        `torch.LongTensor` of shape `(batch, 4)` on the CPU: top, left, height, width.

    Raises:
        ValueError: if `scale` or `ratio` is not an increasing pair above 0.
    """
    for name, (low, high) in (("scale", scale), ("ratio", ratio)):
        if not 0 < low <= high:
            raise ValueError(f"{name} must be an increasing pair above 0, got {(low, high)}.")
    heights, widths = (torch.as_tensor(v).cpu()[:, None] for v in (heights, widths))
    area, log_ratio, place = uniform((len(heights), 22), generator).split([10, 10, 2], dim=1)
    area = (scale[0] + (scale[1] - scale[0]) * area) * heights * widths
    aspect = (math.log(ratio[0]) + (math.log(ratio[1]) - math.log(ratio[0])) * log_ratio).exp()
    box_width, box_height = (area * aspect).sqrt().round().long(), (area / aspect).sqrt().round().long()
    fits = (0 < box_width) & (box_width <= widths) & (0 < box_height) & (box_height <= heights)
    first = fits.int().argmax(dim=1, keepdim=True)  # 0 where none fits
    some = fits.gather(1, first)
    image_ratio = widths / heights
    centre_height = torch.where(image_ratio < ratio[0], (widths / ratio[0]).round().long(), heights)
    centre_width = torch.where(image_ratio > ratio[1], (heights * ratio[1]).round().long(), widths)
    height = torch.where(some, box_height.gather(1, first), centre_height).clamp_min(1)
    width = torch.where(some, box_width.gather(1, first), centre_width).clamp_min(1)
    space = torch.cat([heights - height, widths - width], dim=1)
    corner = torch.minimum((place * (space + 1)).long(), space)  # a draw just below 1 can round up to `space + 1`
    corner = torch.where(some, corner, space // 2)
    return torch.cat([corner, height, width], dim=1)


def random_square_boxes(
    heights: torch.Tensor, widths: torch.Tensor, share: float, generator: torch.Generator | None = None
) -> torch.LongTensor:
    """
    Squares of one size anywhere in the images.

    Args:
        heights, widths (`torch.LongTensor` of shape `(batch,)`): sizes of the images in pixels, at least 1.
        share (`float`): side of the square, share of the short side of the image; in (0, 1].
        generator (`torch.Generator`, *optional*): draws happen on its device.

    Returns:
        `torch.LongTensor` of shape `(batch, 4)` on the CPU: top, left, height, width.
    """
    sides = torch.stack([heights, widths], dim=1)
    short = sides.amin(1)
    square = (short * share).round().long().clamp(torch.ones_like(short), short)[:, None].expand(-1, 2)
    space = sides - square
    corner = torch.minimum((uniform((len(heights), 2), generator) * (space + 1)).long(), space)
    return torch.cat([corner, square], dim=1)


def uniform(shape: tuple[int, ...], generator: torch.Generator | None) -> torch.Tensor:
    """Uniform draws in [0, 1), made on the generator's device and returned on the CPU, where decisions are taken."""
    device = "cpu" if generator is None else generator.device
    return torch.rand(shape, generator=generator, device=device).cpu()


def image_sizes(images: torch.Tensor | list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Heights and widths of a batch, each of shape `(batch,)`, on the CPU.

    Raises:
        ValueError: for anything but `(batch, channels, height, width)` or a list of `(channels, height, width)`, with
            one channel count of 1 or 3, uint8 or float.
    """
    if isinstance(images, PackedImages):
        shapes, dtypes = [(images.channels, *size) for size in images.sizes.tolist()], {images.dtype}
    elif isinstance(images, torch.Tensor):
        shapes, dtypes = [tuple(images.shape[1:])] * len(images), {images.dtype}
    else:
        shapes, dtypes = [tuple(image.shape) for image in images], {image.dtype for image in images}
    if not shapes or any(len(s) != 3 or s[0] not in (1, 3) or s[0] != shapes[0][0] or 0 in s for s in shapes):
        raise ValueError(
            "images must be (batch, channels, height, width) or a list of (channels, height, width), all with 1 or "
            f"all with 3 channels, got {'an empty batch' if not shapes else sorted(set(shapes))[:4]}."
        )
    if len(dtypes) > 1 or not all(d == torch.uint8 or d.is_floating_point for d in dtypes):
        raise ValueError(f"images must be uint8 in 0..255 or float in 0..1, got {sorted(map(str, dtypes))}.")
    return torch.tensor([s[1] for s in shapes]), torch.tensor([s[2] for s in shapes])


def crop_resize(
    images: torch.Tensor | list[torch.Tensor],
    boxes: torch.Tensor,
    size: int | tuple[int, int],
    flip: torch.Tensor | None = None,
    interpolation: str = "bilinear",
) -> torch.Tensor:
    """
    Crop each image to its box, resize with antialiasing, flip where asked: one linear map per axis.

    Equal to `F.interpolate(crop, size, mode=interpolation, align_corners=False, antialias=True)`, so bicubic results
    can leave [0, 1] by some percent: clamp them yourself, as `make_view` does. On a CPU, uint8 images of more than
    2 ** 14 values stay uint8 until they are resized, as in Pillow: results are whole grey levels.

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`, or a list of `(channels, height, width)` of
            any sizes): uint8 in 0..255 or float in 0..1, on any device.
        boxes (`torch.LongTensor` of shape `(batch, 4)`): top, left, height, width in pixels.
        size (`int` or `tuple[int, int]`): height and width of the result.
        flip (`torch.BoolTensor` of shape `(batch,)`, *optional*): mirror the result left to right.
        interpolation (`str`, *optional*, defaults to `"bilinear"`): or `"bicubic"`.

    Returns:
        `torch.FloatTensor` of shape `(batch, channels, *size)` on the device of the images, float32; white is 1.

    Raises:
        ValueError: for a box outside its image, or malformed images, boxes, flip or interpolation.
    """
    return Crops(images, boxes, size, flip, interpolation)[:].contiguous()


class Crops:
    """
    `crop_resize`, made when it is asked for: `crops[start:stop]` is that part of its result, so that who goes on to
    work on it finds it in the cache. Arguments and errors are those of `crop_resize`.
    """

    def __init__(self, images, boxes, size, flip=None, interpolation="bilinear"):
        heights, widths = image_sizes(images)
        if interpolation not in SUPPORT:
            raise ValueError(f"interpolation must be one of {sorted(SUPPORT)}, got {interpolation!r}.")
        if boxes.shape != (len(heights), 4) or (flip is not None and flip.shape != (len(heights),)):
            raise ValueError(
                f"{len(heights)} images need boxes of shape ({len(heights)}, 4) and flip ({len(heights)},)."
            )
        self.boxes = boxes.cpu()
        top, left, height, width = self.boxes.unbind(1)
        bad = (self.boxes < torch.tensor([0, 0, 1, 1])).any(1) | (top + height > heights) | (left + width > widths)
        if bad.any():
            i = int(bad.int().argmax())
            raise ValueError(f"box {self.boxes[i].tolist()} of sample {i} leaves its {heights[i]}x{widths[i]} image.")
        alike = len({image.shape for image in images}) == 1
        self.alone = not alike or one_by_one(images)
        if not self.alone and not isinstance(images, torch.Tensor):
            images = torch.stack(list(images))
        self.images = images
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        self.interpolation, self.flip = interpolation, [False] * len(heights) if flip is None else flip.tolist()
        if not self.alone:
            support, device = SUPPORT[interpolation], images[0].device
            scale = 1 / 255 if images[0].dtype == torch.uint8 else 1.0
            self.rows = _resize_bands(top, height, self.size[0], None, support, device, scale)
            self.columns = _resize_bands(left, width, self.size[1], flip, support, device)

    @torch.no_grad()
    def __getitem__(self, block: slice) -> torch.Tensor:
        if not self.alone:
            return apply_bands(
                self.images[block].contiguous(), self.rows.samples(block), self.columns.samples(block)
            ).contiguous()
        crops = [self._crop(i) for i in range(len(self.images))[block]]
        return crops[0] if len(crops) == 1 else torch.cat(crops)

    def _crop(self, i: int) -> torch.Tensor:
        y, x, h, w = self.boxes[i].tolist()
        image = self.images[i][None]
        scale = 1 / 255 if image.dtype == torch.uint8 else 1.0
        crop = image[..., y : y + h, x : x + w]
        if crop.dtype != torch.uint8 or not one_by_one(image):  # as in a batch of such images
            crop = crop.float()
        crop = F.interpolate(crop, self.size, mode=self.interpolation, align_corners=False, antialias=True)
        crop = crop.to(torch.float, memory_format=torch.contiguous_format).mul_(scale)
        return crop.flip(3) if self.flip[i] else crop


def _resize_bands(start, length, size, flip, support, device, scale=1.0) -> Bands:
    stretch = (length / size).clamp_min(1)  # the filter is widened only to shrink an image
    taps = (2 * support * stretch).ceil().int().tolist()
    start, length, stretch = (v.to(device)[:, None] for v in (start, length, stretch))
    position = torch.arange(size, device=device)
    if flip is not None:
        position = torch.where(flip.to(device)[:, None], size - 1 - position, position)
    centre = (position + 0.5) * (length / size)
    first = (centre - support * stretch - 0.5).ceil()
    source = first[..., None] + torch.arange(max(taps), device=device)  # [B, out, taps]
    weight = _kernel((source + 0.5 - centre[..., None]) / stretch[..., None], support)
    weight = weight * ((source >= 0) & (source < length[..., None]))
    weight = weight * (scale / weight.sum(-1, keepdim=True))
    index = torch.minimum(source.clamp_min_(0), length[..., None] - 1).long() + start[..., None]
    return Bands(index, weight, taps)


def _kernel(x: torch.Tensor, support: int) -> torch.Tensor:
    x = x.abs().clamp_max(support)
    if support == 1:
        return 1 - x
    inner = (1.5 * x - 2.5) * x * x + 1
    outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, inner, outer)
