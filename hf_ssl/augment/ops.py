"""What remains of SimCLR's figure 4 (arXiv:2002.05709): blur, rotation, cutout, noise, Sobel, flip; per sample."""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F

from .color import on_samples_, per_sample, to_float
from .resize import Bands, apply_bands


def gaussian_blur(images: torch.Tensor, sigma: torch.Tensor, kernel_size: int) -> torch.Tensor:
    """
    Separable Gaussian blur with mirrored borders, a standard deviation for each sample.

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`): uint8 in 0..255 or float in 0..1.
        sigma (`torch.Tensor` of shape `(batch,)`): in pixels; 0 or less leaves the sample alone.
        kernel_size (`int`): odd; its half must be smaller than the image.

    Returns:
        `torch.FloatTensor` of the shape of `images`, in [0, 1].

    Raises:
        ValueError: for malformed images, sigma or kernel size.
    """
    x = to_float(images)
    if kernel_size < 1 or kernel_size % 2 == 0 or kernel_size // 2 >= min(x.shape[2:]):
        raise ValueError(
            f"kernel_size must be odd and below twice the image's side {min(x.shape[2:])}, got {kernel_size}."
        )
    _check_batch("sigma", sigma, x)
    return gaussian_blur_(x, sigma, kernel_size).contiguous()


def gaussian_blur_(x: torch.Tensor, sigma: torch.Tensor, kernel_size: int) -> torch.Tensor:
    """`gaussian_blur` of float32 images; `sigma` had best be on the CPU."""
    sigmas = sigma.tolist()

    def blur(images, sigma):
        rows = _gaussian_bands(images.shape[2], sigma, kernel_size, images.device)
        square = images.shape[2] == images.shape[3]
        columns = rows if square else _gaussian_bands(images.shape[3], sigma, kernel_size, images.device)
        return apply_bands(images, rows, columns).clamp_(0, 1)

    return on_samples_(x, [i for i, s in enumerate(sigmas) if s > 0], blur, sigma)


def _gaussian_bands(size: int, sigma: torch.Tensor, kernel_size: int, device: torch.device) -> Bands:
    radius = kernel_size // 2
    # Beyond 5.5 sigma weights are below float32's resolution.
    taps = [2 * min(radius, math.ceil(5.5 * s)) + 1 for s in sigma.tolist()]
    index, exponent = _neighbours(size, kernel_size, device)
    weight = (exponent / sigma.to(device, torch.float32)[:, None].square()).softmax(1)[:, None]  # [B, 1, taps]
    shape = (len(taps), size, max(taps))
    return Bands(index[:, : max(taps)].expand(shape), weight[..., : max(taps)].expand(shape), taps)


@lru_cache
def _neighbours(size: int, kernel_size: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Neighbours (size, kernel_size) of each place, outwards (0, -1, 1, …), mirrored at both ends, and the logarithm of
    their weights at sigma 1.
    """
    offset = torch.arange(kernel_size, device=device)
    offset = (offset + 1) // 2 * (1 - 2 * (offset % 2))
    index = (torch.arange(size, device=device)[:, None] + offset).abs()
    return size - 1 - (size - 1 - index).abs(), -0.5 * offset.square()


def rotate90(images: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """
    Rotate each sample by `turns` quarters counter-clockwise (RotNet, arXiv:1803.07728).

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`): uint8 in 0..255 or float in 0..1.
        turns (`torch.LongTensor` of shape `(batch,)`): 0 to 3.

    Returns:
        `torch.FloatTensor` of the shape of `images`, in [0, 1].

    Raises:
        ValueError: for turns outside 0..3, or odd turns of images that are not square.
    """
    x = to_float(images)
    _check_batch("turns", turns, x)
    quarters = turns.tolist()
    if any(t not in (0, 1, 2, 3) for t in quarters):
        raise ValueError(f"turns must be in 0..3, got {sorted(set(quarters))}.")
    if x.shape[2] != x.shape[3] and any(t % 2 for t in quarters):
        raise ValueError(f"images must be square to rotate by 90 or 270 degrees, got {tuple(x.shape[2:])}.")
    return rotate90_(x, quarters).contiguous()


def rotate90_(x: torch.Tensor, turns: list[int]) -> torch.Tensor:
    for quarter in (1, 2, 3):
        samples = [i for i, t in enumerate(turns) if t == quarter]
        x = on_samples_(x, samples, lambda images, k=quarter: torch.rot90(images, k, (2, 3)))
    return x


def shift(images: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """
    Move the content of each sample; what comes in is mirrored at the border.

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`): uint8 in 0..255 or float in 0..1.
        offsets (`torch.Tensor` of shape `(batch, 2)`): pixels downwards and to the right; below the image's side.

    Returns:
        `torch.FloatTensor` of the shape of `images`, in [0, 1].

    Raises:
        ValueError: for malformed images or offsets.
    """
    x = to_float(images)
    if offsets.shape != (len(x), 2):
        raise ValueError(f"{len(x)} images need offsets of shape ({len(x)}, 2), got {tuple(offsets.shape)}.")
    return shift_(x, offsets.to(x.device))


def shift_(x: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    rows, columns = (
        _mirrored(torch.arange(size, device=x.device) - offset[:, None], size)
        for size, offset in zip(x.shape[2:], offsets.unbind(1), strict=True)
    )
    x = x.gather(2, rows[:, None, :, None].expand_as(x))
    return x.gather(3, columns[:, None, None].expand_as(x))


def _mirrored(index: torch.Tensor, size: int) -> torch.Tensor:
    """Indices at most `size` away, reflected into the image without repeating its border."""
    last = size - 1
    return last - (last - index.abs()).abs()


def cutout(images: torch.Tensor, boxes: torch.Tensor, fill: float = 0.5) -> torch.Tensor:
    """
    Fill a box with a constant (Cutout, arXiv:1708.04552).

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`): uint8 in 0..255 or float in 0..1.
        boxes (`torch.LongTensor` of shape `(batch, 4)`): top, left, height, width; what lies outside the image is
            ignored, and a height or width of 0 leaves the sample alone.
        fill (`float`, *optional*, defaults to 0.5): in [0, 1]; the paper's zero after normalisation is about mid-grey.

    Returns:
        `torch.FloatTensor` of the shape of `images`, in [0, 1].
    """
    x = to_float(images)
    if boxes.shape != (len(x), 4):
        raise ValueError(f"{len(x)} images need boxes of shape ({len(x)}, 4), got {tuple(boxes.shape)}.")
    return cutout_(x, boxes.to(x.device), fill)


def cutout_(x: torch.Tensor, boxes: torch.Tensor, fill: float = 0.5) -> torch.Tensor:
    top, left, height, width = boxes[..., None].unbind(1)
    row, column = (torch.arange(n, device=x.device) for n in x.shape[2:])
    rows, columns = (row >= top) & (row < top + height), (column >= left) & (column < left + width)
    return x.masked_fill_(rows[:, None, :, None] & columns[:, None, None, :], fill)


def gaussian_noise(
    images: torch.Tensor, std: float | torch.Tensor, generator: torch.Generator | None = None
) -> torch.Tensor:
    """
    Add independent Gaussian noise to every value, and clamp.

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`): uint8 in 0..255 or float in 0..1.
        std (`float` or `torch.Tensor` of shape `(batch,)`): of values in [0, 1].
        generator (`torch.Generator`, *optional*): the noise is drawn on its device.

    Returns:
        `torch.FloatTensor` of the shape of `images`, in [0, 1].
    """
    x = to_float(images)
    std = torch.full((len(x),), float(std)) if not isinstance(std, torch.Tensor) else std
    _check_batch("std", std, x)
    return gaussian_noise_(x, std, generator)


def gaussian_noise_(x: torch.Tensor, std: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    noise = torch.randn(x.shape, generator=generator, device="cpu" if generator is None else generator.device)
    return x.addcmul_(noise.to(x.device), per_sample(std.to(x.device, torch.float32))).clamp_(0, 1)


def sobel(images: torch.Tensor) -> torch.Tensor:
    """
    Magnitude of the Sobel gradient of each channel, with repeated borders.

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`): uint8 in 0..255 or float in 0..1.

    Returns:
        `torch.FloatTensor` of the shape of `images`, in [0, 1]: divided by √20, the largest magnitude there is.
    """
    x = F.pad(to_float(images), (1, 1, 1, 1), mode="replicate")
    smooth = x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]
    horizontal = smooth[..., 2:] - smooth[..., :-2]
    smooth = x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]
    vertical = smooth[..., 2:, :] - smooth[..., :-2, :]
    return torch.hypot(horizontal, vertical).div_(math.sqrt(20)).clamp_(max=1)


def horizontal_flip(images: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """
    Mirror the samples of `mask`, of shape `(batch,)`, left to right.

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`): uint8 in 0..255 or float in 0..1.

    Returns:
        `torch.FloatTensor` of the shape of `images`, in [0, 1].
    """
    x = to_float(images)
    _check_batch("mask", mask, x)
    return on_samples_(x, [i for i, m in enumerate(mask.tolist()) if m], lambda chosen: chosen.flip(3))


def _check_batch(name: str, value: torch.Tensor, images: torch.Tensor) -> None:
    if value.shape != (len(images),):
        raise ValueError(f"{len(images)} images need {name} of shape ({len(images)},), got {tuple(value.shape)}.")
