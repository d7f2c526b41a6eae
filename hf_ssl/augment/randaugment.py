"""
RandAugment (arXiv:1909.13719) of a batch: each sample has operators of its own, and equal ones go through at once.

Strengths from 0 to 10 mean what they mean in the official code of InfoMin (arXiv:2005.10243), which has them from that
of EfficientNet: 10 is strongest, except for solarize (10 inverts nothing) and posterize (10 keeps four bits, 0 none).
For brightness, contrast, color and sharpness it is a factor of 1.9, and 0 is 0.1.
"""

import math
from functools import partial
from typing import NamedTuple

import torch

from .color import _LUMA, brightness_, contrast_, on_samples_, per_sample, saturation_, solarize_, to_float
from .resize import uniform

MAX_LEVEL = 10.0
_FILL = (124 / 255, 116 / 255, 104 / 255)  # what comes in from outside the image: ImageNet's mean colour


class RandAugmentDraws(NamedTuple):
    """
    What `randaugment` does to each sample, layer by layer.

    Args:
        op (`torch.LongTensor` of shape `(batch, layers)`): which of the names; -1 for none.
        level (`torch.FloatTensor` of shape `(batch, layers)`): strength in [-10, 10]; only operators with a direction
            look at the sign.
        bicubic (`torch.BoolTensor` of shape `(batch, layers)`): the filter of those that move pixels, else bilinear.
    """

    op: torch.Tensor
    level: torch.Tensor
    bicubic: torch.Tensor

    def samples(self, block: slice) -> "RandAugmentDraws":
        return RandAugmentDraws(*(t[block] for t in self))


def draw_randaugment(
    batch: int,
    ops: tuple[str, ...],
    layers: int,
    probability: float,
    magnitude: float,
    magnitude_std: float | None,
    generator: torch.Generator | None = None,
) -> RandAugmentDraws:
    """
    Operators drawn with replacement, each with a normal strength, clamped to [0, 10], and a random sign and filter.

    Args:
        ops (`tuple[str]`): of `RANDAUGMENT_OPS`.
        layers (`int`): operators in a row.
        probability (`float`): of each of them to act at all.
        magnitude, magnitude_std (`float`): mean and standard deviation of the strength; without the latter it is
            uniform in [0, magnitude].
        generator (`torch.Generator`, *optional*): a sample always consumes the same number of draws.
    """
    acts, which, noise, sign, kind = uniform((batch, layers, 5), generator).unbind(-1)
    op = (which * len(ops)).long().clamp_max(len(ops) - 1)
    if magnitude_std is None:
        level = magnitude * noise
    else:
        level = (magnitude + magnitude_std * torch.special.ndtri(noise.clamp_min(1e-7))).clamp(0, MAX_LEVEL)
    return RandAugmentDraws(
        torch.where(acts < probability, op, -1), torch.where(sign < 0.5, level, -level), kind < 0.5
    )


def randaugment(images: torch.Tensor, ops: tuple[str, ...], draws: RandAugmentDraws) -> torch.Tensor:
    """
    Apply what was drawn. Every operator does what Pillow does under that name, up to the rounding to bytes.

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`): uint8 in 0..255 or float in 0..1.
        ops (`tuple[str]`): the names that `draws.op` points to, of `RANDAUGMENT_OPS`.
        draws ([`RandAugmentDraws`])

    Returns:
        `torch.FloatTensor` of the shape of `images`, in [0, 1].

    Raises:
        ValueError: for malformed images, unknown names, or draws of another batch.
    """
    x = to_float(images)
    require_ops("ops", ops)
    if any(len(t) != len(x) for t in draws):
        raise ValueError(f"{len(x)} images need draws of {len(x)} samples, got {len(draws.op)}.")
    return randaugment_(x, ops, draws)


def require_ops(name: str, ops: tuple[str, ...]) -> None:
    """A `ValueError` that calls `ops` by `name` unless all are of `RANDAUGMENT_OPS`."""
    unknown = [op for op in ops if op not in RANDAUGMENT_OPS] if not isinstance(ops, str) else [ops]
    if unknown:
        raise ValueError(f"{name} must be a list of {', '.join(RANDAUGMENT_OPS)}; got {unknown[0]!r}.")


def randaugment_(x: torch.Tensor, ops: tuple[str, ...], draws: RandAugmentDraws) -> torch.Tensor:
    """`randaugment` of float32 images; `draws` had best be on the CPU."""
    for op, level, bicubic in zip(*(t.unbind(1) for t in draws), strict=True):
        groups: dict[str, list[int]] = {}
        for sample, index in enumerate(op.tolist()):
            groups.setdefault(ops[index] if index >= 0 else "identity", []).append(sample)
        strength = level.abs().to(x.device)
        matrices, filters = torch.zeros(len(x), 6), bicubic.tolist()
        moved: dict[bool, list[int]] = {False: [], True: []}
        for name, samples in groups.items():
            if name in _POINTS:
                x = on_samples_(x, samples, _POINTS[name], strength)
            elif name in _MOVES:
                matrices[samples] = _MOVES[name](level[samples].float(), *x.shape[2:])
                for sample in samples:
                    moved[filters[sample]].append(sample)
        matrices = matrices.to(x.device)
        for kind, samples in moved.items():
            x = on_samples_(x, sorted(samples), partial(_transform, bicubic=kind), matrices)
    return x


# Operators on values: (images, strength in 0..10) -> images, perhaps in place.
def _autocontrast(x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    some = high - low > 0.5 / 255  # a flat channel stays as it is
    return x.sub_(low * some).div_(torch.where(some, high - low, 1.0))


def _equalize(x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    channels, pixels = x.shape[0] * x.shape[1], x.shape[2] * x.shape[3]
    value = _bytes(x).reshape(channels, pixels).long()
    row = torch.arange(channels, device=x.device)[:, None]
    counts = (value + 256 * row).flatten().bincount(minlength=256 * channels).view(channels, 256)
    step = (pixels - counts.gather(1, value.amax(1, keepdim=True))) // 255
    table = ((step // 2 + counts.cumsum(1) - counts) // step.clamp_min(1)).clamp_max(255)
    table = torch.where(step > 0, table, torch.arange(256, device=x.device))
    return (table.gather(1, value) / 255).view_as(x)


def _invert(x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    return x.neg_().add_(1)


def _posterize(x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    step = 2 ** (8 - per_sample((level / MAX_LEVEL * 4).floor()))  # 0 to 4 bits are kept
    return _bytes(x).div_(step).floor_().mul_(step / 255)


def _solarize(x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    # half a byte lower, so that a value decides as its byte would
    return solarize_(x, per_sample((level / MAX_LEVEL * 256).floor() - 0.5) / 255)


def _solarize_add(x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    return x.addcmul_((x < 127.5 / 255).to(x.dtype), per_sample((level / MAX_LEVEL * 110).floor()) / 255).clamp_(max=1)


def _sharpness(x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    if min(x.shape[2:]) < 3:
        return x
    rows = x[..., :-2, :] + x[..., 1:-1, :] + x[..., 2:, :]
    sums = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    inner = x[..., 1:-1, 1:-1]  # Pillow's filter leaves the border alone
    detail = inner.mul(9 / 13).sub_(sums, alpha=1 / 13)  # what smoothing takes away: the centre counts 5 of 13
    inner.addcmul_(detail, per_sample(_factor(level)) - 1)
    return x.clamp_(0, 1)


def _bytes(x: torch.Tensor) -> torch.Tensor:
    return x.mul(255).round_()


def _factor(level: torch.Tensor) -> torch.Tensor:
    return level / MAX_LEVEL * 1.8 + 0.1


# Operators on places: (signed strength (n,), height, width) -> (n, 6): the pixel at (x, y) comes from
# (a x + b y + c, d x + e y + f), with pixels at half-integers.
def _rotate(level: torch.Tensor, height: int, width: int) -> torch.Tensor:
    angle = -level / MAX_LEVEL * math.radians(30)
    cos, sin, x, y = angle.cos(), angle.sin(), width / 2, height / 2
    return torch.stack([cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y], dim=1)


def _move(level: torch.Tensor, height: int, width: int, place: int, share: float, of: int | None) -> torch.Tensor:
    matrix = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]).repeat(len(level), 1)
    matrix[:, place] = level / MAX_LEVEL * share * (1 if of is None else (height, width)[of])
    return matrix


def _transform(images: torch.Tensor, matrices: torch.Tensor, bicubic: bool) -> torch.Tensor:
    batch, channels, height, width = images.shape
    x, y = (torch.arange(n, device=images.device) + 0.5 for n in (width, height))
    a, b, c, d, e, f = matrices[:, :, None, None].unbind(1)
    x, y = a * x + b * y[:, None] + c, d * x + e * y[:, None] + f  # [B, H, W]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    pixels, out = images.flatten(2), torch.zeros_like(images).flatten(2)
    columns = _taps(x, width, bicubic)
    for row, down in _taps(y, height, bicubic):
        for column, across in columns:
            source = (row * width + column).flatten(1)[:, None].expand_as(pixels)
            out.addcmul_(pixels.gather(2, source), (down * across).flatten(1)[:, None])
    out = out.view_as(images).clamp_(0, 1)
    fill = torch.tensor(_FILL, device=images.device)
    fill = fill if channels == 3 else (fill * fill.new_tensor(_LUMA)).sum(0, keepdim=True)
    return torch.where(inside[:, None], out, fill[:, None, None])


def _taps(position: torch.Tensor, size: int, bicubic: bool) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Which pixels make up a position along one axis, and their weights; borders are repeated."""
    position = position - 0.5
    first = position.floor()
    t = position - first
    if bicubic:  # Pillow's transforms have a = -1, its resizing and ours -0.5
        weights = (-t * (1 - t) ** 2, 1 + (t - 2) * t**2, t * (1 + t - t**2), -(t**2) * (1 - t))
    else:
        weights = (1 - t, t)
    # Along the axis that a shear or a shift leaves alone, all taps but one have no weight.
    used = torch.stack([w.any() for w in weights]).tolist()
    index = first.long() - (1 if bicubic else 0)
    return [((index + i).clamp_(0, size - 1), w) for i, w in enumerate(weights) if used[i]]


_POINTS = {
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "invert": _invert,
    "posterize": _posterize,
    "solarize": _solarize,
    "solarize_add": _solarize_add,
    "color": lambda x, level: saturation_(x, _factor(level)),
    "contrast": lambda x, level: contrast_(x, _factor(level)),
    "brightness": lambda x, level: brightness_(x, _factor(level)),
    "sharpness": _sharpness,
}
_MOVES = {
    "rotate": _rotate,
    "shear_x": partial(_move, place=1, share=0.3, of=None),
    "shear_y": partial(_move, place=3, share=0.3, of=None),
    "translate_x": partial(_move, place=2, share=0.45, of=1),
    "translate_y": partial(_move, place=5, share=0.45, of=0),
}
RANDAUGMENT_OPS = (*_POINTS, *_MOVES, "identity")
