"""
Colour of a batch: jitter, grey, solarisation, per-sample strengths. What ends in `_` may work in place: use what it
gives back.
"""

from collections.abc import Callable

import torch

from .resize import image_sizes

# ITU-R BT.601 luma, as Pillow's "L".
_LUMA = (0.299, 0.587, 0.114)


def to_float(images: torch.Tensor) -> torch.Tensor:
    """
    A float32 copy in [0, 1] of images of shape `(batch, channels, height, width)`, uint8 in 0..255 or float in 0..1.

    Raises:
        ValueError: for another shape or dtype.
    """
    image_sizes(images)
    x = images.to(torch.float32, memory_format=torch.contiguous_format, copy=True)
    return x.div_(255) if images.dtype == torch.uint8 else x


def on_samples_(
    images: torch.Tensor, samples: list[int], function: Callable, *parameters: torch.Tensor
) -> torch.Tensor:
    """
    The chosen samples replaced by `function(chosen images, *chosen parameters)`, at the cost of those samples only.

    Args:
        images (`torch.FloatTensor` of shape `(batch, channels, height, width)`): may be changed in place.
        samples (`list[int]`): increasing indices of samples.
        function: takes images and parameters of the chosen samples; may work in place; returns images of that shape.
        parameters (`torch.Tensor` of shape `(batch, ...)`)
    """
    if len(samples) == len(images):
        return function(images, *parameters)
    if samples:
        index = torch.tensor(samples, device=images.device)
        chosen = (p.index_select(0, index.to(p.device)) for p in parameters)
        images.index_copy_(0, index, function(images.index_select(0, index), *chosen))
    return images


def adjust_brightness(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """
    Multiply by `factor`, as torchvision's.

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`): uint8 in 0..255 or float in 0..1.
        factor (`torch.Tensor` of shape `(batch,)`): at least 0; 1 changes nothing.

    Returns:
        `torch.FloatTensor` of the shape of `images`, in [0, 1].

    Raises:
        ValueError: for malformed images or factors.
    """
    return brightness_(to_float(images), _factor(images, factor))


def adjust_contrast(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """
    Blend with the mean grey of the image: `factor` 0 gives that grey, 1 changes nothing. Otherwise as
    `adjust_brightness`.
    """
    return contrast_(to_float(images), _factor(images, factor))


def adjust_saturation(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """
    Blend with the grey version of each pixel: `factor` 0 gives grey, 1 changes nothing, and so does anything on one
    channel. Otherwise as `adjust_brightness`.
    """
    return saturation_(to_float(images), _factor(images, factor))


def adjust_hue(images: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """
    Turn the hue (of HSV) by `shift` turns, of shape `(batch,)`; one channel is left alone. Otherwise as
    `adjust_brightness`.
    """
    return hue_(to_float(images), hue_turns(_factor(images, shift, low=None)))


def color_jitter(
    images: torch.Tensor,
    brightness: torch.Tensor | None,
    contrast: torch.Tensor | None,
    saturation: torch.Tensor | None,
    hue: torch.Tensor | None,
    order: torch.Tensor,
) -> torch.Tensor:
    """
    The four adjustments in an order of its own for each sample (arXiv:1312.5402; SimCLR, arXiv:2002.05709),
    as torchvision's `ColorJitter` on each image.

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`): uint8 in 0..255 or float in 0..1.
        brightness, contrast, saturation (`torch.Tensor` of shape `(batch,)`, *optional*): factors, at least 0; `None`
            leaves the adjustment out.
        hue (`torch.Tensor` of shape `(batch,)`, *optional*): in turns.
        order (`torch.LongTensor` of shape `(batch, 4)`): each row a permutation: what comes first, second, …, with
            0 = brightness, 1 = contrast, 2 = saturation, 3 = hue.

    Returns:
        `torch.FloatTensor` of the shape of `images`, in [0, 1].

    Raises:
        ValueError: for malformed images, factors or order.
    """
    x = to_float(images)
    factors = (brightness, contrast, saturation, hue)
    factors = [f if f is None else _factor(images, f, None if i == 3 else 0) for i, f in enumerate(factors)]
    if hue is not None:
        factors[3] = hue_turns(factors[3])
    if order.shape != (len(x), 4) or not torch.equal(
        order.sort(dim=1).values, order.new_tensor(range(4)).expand_as(order)
    ):
        raise ValueError(f"order must be ({len(x)}, 4), each row a permutation of 0..3, got {tuple(order.shape)}.")
    return color_jitter_(x, *factors, order.tolist(), range(len(x)))


def color_jitter_(images, brightness, contrast, saturation, hue, order: list[list[int]], samples) -> torch.Tensor:
    """
    `color_jitter` of float32 images, on the listed `samples` only; `hue` is of `hue_turns`, `order` a list of
    permutations.
    """
    steps = list(enumerate(zip(_ADJUSTMENTS, (brightness, contrast, saturation, hue), strict=True)))
    for place in range(4):
        for step, (adjust, factor) in steps:
            if factor is not None:
                images = on_samples_(images, [i for i in samples if order[i][place] == step], adjust, factor)
    return images


def brightness_(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    return x.mul_(per_sample(factor)).clamp_(max=1)


def contrast_(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    mean = x.mean((2, 3), keepdim=True)  # [B, C, 1, 1]
    if x.shape[1] == 3:
        mean = _grey(mean)  # the mean of the grey image is the grey of the mean colour
    factor = per_sample(factor)
    return x.mul_(factor).add_(mean * (1 - factor)).clamp_(0, 1)


def saturation_(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    if x.shape[1] == 1:
        return x
    factor = per_sample(factor)
    grey = _grey(x).mul_(1 - factor)
    return x.mul_(factor).add_(grey).clamp_(0, 1)


def hue_turns(shift: torch.Tensor) -> torch.Tensor:
    """What `hue_` takes, (batch, 3, 1, 1), for shifts (batch,): less each channel's own hue, sextants in [-3, 3]."""
    turn = 6 * per_sample(shift) - shift.new_tensor([0.0, 2.0, -2.0]).view(1, 3, 1, 1)
    return turn.sub_(6 * (turn / 6).round())


def hue_(x: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    """
    HSV's hue turned without ever selecting a sextant. With the smallest channel `low`, the largest `high` and `chroma`
    their difference, the distance of a pixel's hue from red, in sextants, is (chroma - low - r + g + b) / chroma, on
    green's side where g > b. A channel whose own hue is d sextants away, 0 <= d <= 3, is high - chroma clamp(d - 1, 0,
    1); and for a difference e of hues with |e| <= 6, d is 3 - ||e| - 3|.
    """
    if x.shape[1] == 1:
        return x
    red, green, blue = x.split(1, dim=1)  # each [B, 1, H, W]
    high = torch.maximum(red, green)
    low = torch.minimum(red, green)
    torch.maximum(high, blue, out=high)
    torch.minimum(low, blue, out=low)
    chroma = high - low
    hue = green + blue
    hue.sub_(red).add_(chroma).sub_(low)
    torch.copysign(hue, torch.sub(green, blue, out=low), out=hue)
    hue.div_(torch.clamp_min(chroma, 1e-8, out=low))  # in [-3, 3]; on grey pixels any finite value will do
    torch.add(hue, turn, out=x).abs_().sub_(3).abs_().clamp_(1, 2)  # 3 - d
    torch.addcmul(high.sub_(chroma, alpha=2), chroma, x, out=x)
    return x.clamp_(0, 1)  # rounding alone can leave the range


_ADJUSTMENTS = (brightness_, contrast_, saturation_, hue_)


def to_grayscale(images: torch.Tensor) -> torch.Tensor:
    """
    Grey (ITU-R 601: 0.299, 0.587, 0.114) with the channel count kept.

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`): uint8 in 0..255 or float in 0..1.

    Returns:
        `torch.FloatTensor` of the shape of `images`, in [0, 1].
    """
    return grayscale_(to_float(images))


def grayscale_(x: torch.Tensor) -> torch.Tensor:
    return x if x.shape[1] == 1 else x.copy_(_grey(x))


def _grey(x: torch.Tensor) -> torch.Tensor:
    red, green, blue = x.split(1, dim=1)
    grey = torch.mul(red, _LUMA[0]).add_(green, alpha=_LUMA[1])
    return grey.add_(blue, alpha=_LUMA[2])  # [B, 1, H, W]


def solarize(images: torch.Tensor, threshold: float = 0.5) -> torch.Tensor:
    """
    Invert the values at or above `threshold` (in [0, 1]); used by BYOL (arXiv:2006.07733).

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`): uint8 in 0..255 or float in 0..1.

    Returns:
        `torch.FloatTensor` of the shape of `images`, in [0, 1].
    """
    return solarize_(to_float(images), threshold)


def solarize_(x: torch.Tensor, threshold: float) -> torch.Tensor:
    bright = x.clone().ge_(threshold)  # 0 or 1 in float: torch.where and booleans are slow on a CPU
    return x.mul_(1 - 2 * bright).add_(bright)


def per_sample(values: torch.Tensor) -> torch.Tensor:
    """One value a sample, `(batch,)`, to multiply images with."""
    return values.view(-1, 1, 1, 1)


def _factor(images: torch.Tensor, factor: torch.Tensor, low: float | None = 0) -> torch.Tensor:
    if factor.shape != (len(images),):
        raise ValueError(f"{len(images)} images need ({len(images)},) factors, got {tuple(factor.shape)}.")
    if low is not None and bool((factor < low).any()):
        raise ValueError(f"factors must be at least {low}, got {factor.min().item()}.")
    return factor.to(images.device, torch.float32)
