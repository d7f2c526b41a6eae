"""A view policy as data, and the batched pipeline that draws views from it (SimCLR's order, arXiv:2002.05709)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from importlib.util import find_spec

import torch

from ..utils.packed_images import PackedImages
from .color import color_jitter_, grayscale_, hue_turns, on_samples_, solarize_
from .finish import Finish
from .ops import cutout_, gaussian_blur_, gaussian_noise_, rotate90_, shift_, sobel
from .randaugment import MAX_LEVEL, draw_randaugment, randaugment_, require_ops
from .resize import SUPPORT, Crops, image_sizes, random_crop_boxes, uniform

# On a CPU a view above the first number of values goes through all steps alone, in the cache; smaller ones, where the
# overhead of a call counts, as many together as make up the second number. Measured: 2x at 224 and at 32 pixels.
_ALONE, _TOGETHER = 2**17, 2**20


@dataclass(frozen=True)
class ViewPolicy:
    r"""
    How one view is drawn. Steps happen in the order of the fields, each with its own probability and its own draw for
    each sample. Images of one channel stay so; hue, saturation and grey do nothing to them. (SimCLR greys before it
    blurs, which is the same: both are linear.)

    Args:
        size (`int`): side of the view in pixels.
        crop_scale (`tuple[float, float]` or `None`, *optional*, defaults to `(0.08, 1.0)`): area of the crop, share of
            the image; `None` for the largest centred square instead of a random crop.
        crop_ratio (`tuple[float, float]`, *optional*, defaults to `(3/4, 4/3)`): its width by its height.
        interpolation (`str`, *optional*, defaults to `"bilinear"`): or `"bicubic"`; both with antialiasing.
        flip_probability (`float`, *optional*, defaults to 0.5): left to right.
        shift (`float`, *optional*, defaults to 0.0): at most so far in either direction along both axes, in whole
            pixels, as a share of the side; what comes in is mirrored (FixMatch, arXiv:2001.07685, section 2.3).
        brightness, contrast, saturation (`float`, *optional*, defaults to 0.0): strength s; the factor is uniform in
            [max(0, 1 - s), 1 + s]. At 0 the adjustment is left out.
        hue (`float`, *optional*, defaults to 0.0): at most 0.5; the shift is uniform in [-hue, hue] turns.
        jitter_probability (`float`, *optional*, defaults to 0.8): of those four together, in a random order.
        blur_probability (`float`, *optional*, defaults to 0.0): Gaussian blur.
        blur_sigma (`tuple[float, float]`, *optional*, defaults to `(0.1, 2.0)`): in pixels.
        blur_kernel_size (`int`, *optional*): odd; by default 10 % of the side, and at least 3.
        randaugment_ops (`tuple[str]`, *optional*): RandAugment's operators, of `RANDAUGMENT_OPS`; by default none.
        randaugment_layers (`int`, *optional*, defaults to 2): operators in a row, drawn with replacement.
        randaugment_probability (`float`, *optional*, defaults to 0.5): of each of them to act.
        randaugment_magnitude (`float`, *optional*, defaults to 10.0): mean strength, at most 10.
        randaugment_magnitude_std (`float` or `None`, *optional*, defaults to 0.5): its standard deviation; clamped to
            [0, 10]. `None`: strengths are uniform in [0, `randaugment_magnitude`] instead.
        grayscale_probability (`float`, *optional*, defaults to 0.2)
        solarize_probability (`float`, *optional*, defaults to 0.0)
        solarize_threshold (`float`, *optional*, defaults to 0.5): values from here on are inverted.
        rotate_probability (`float`, *optional*, defaults to 0.0): by 90, 180 or 270 degrees.
        cutout_probability (`float`, *optional*, defaults to 0.0): a mid-grey square with its centre in the image.
        cutout_scale (`tuple[float, float]`, *optional*, defaults to `(0.25, 0.25)`): area of the square, share of the
            view (arXiv:1708.04552: half the side).
        noise_probability (`float`, *optional*, defaults to 0.0): Gaussian noise.
        noise_std (`float`, *optional*, defaults to 0.1): of values in [0, 1].
        sobel_probability (`float`, *optional*, defaults to 0.0): magnitude of the gradient.

    Raises:
        ValueError: for a value out of range, naming the field.
    """

    size: int
    crop_scale: tuple[float, float] | None = (0.08, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    interpolation: str = "bilinear"
    flip_probability: float = 0.5
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    jitter_probability: float = 0.8
    blur_probability: float = 0.0
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    blur_kernel_size: int | None = None
    randaugment_ops: tuple[str, ...] = ()
    randaugment_layers: int = 2
    randaugment_probability: float = 0.5
    randaugment_magnitude: float = 10.0
    randaugment_magnitude_std: float | None = 0.5
    grayscale_probability: float = 0.2
    solarize_probability: float = 0.0
    solarize_threshold: float = 0.5
    rotate_probability: float = 0.0
    cutout_probability: float = 0.0
    cutout_scale: tuple[float, float] = (0.25, 0.25)
    noise_probability: float = 0.0
    noise_std: float = 0.1
    sobel_probability: float = 0.0

    def __post_init__(self):
        values = {f.name: vars(self)[f.name] for f in fields(self)}
        ranges = {"brightness": (0, None), "contrast": (0, None), "saturation": (0, None), "hue": (0, 0.5)}
        ranges |= {"noise_std": (0, None), "solarize_threshold": (0, None), "shift": (0, 0.5)}
        ranges |= {"randaugment_magnitude": (0, MAX_LEVEL)}
        if self.randaugment_magnitude_std is not None:
            ranges |= {"randaugment_magnitude_std": (0, None)}
        ranges |= {"randaugment_layers": (0, None)}
        ranges |= {name: (0, 1) for name in values if name.endswith("_probability")}
        for name, (low, high) in ranges.items():
            # `not (a <= b)` is true of NaN too
            if not low <= values[name] or (high is not None and values[name] > high):
                bound = f"at least {low}" if high is None else f"in [{low}, {high}]"
                raise ValueError(f"{name} must be {bound}, got {values[name]!r}.")
        for name, top in (("crop_scale", 1), ("crop_ratio", None), ("blur_sigma", None), ("cutout_scale", 1)):
            pair = values[name]
            if pair is None and name == "crop_scale":
                continue
            if len(pair) != 2 or not 0 < pair[0] <= pair[1] or (top is not None and pair[1] > top):
                bound = "above 0" if top is None else f"in (0, {top}]"
                raise ValueError(f"{name} must be an increasing pair {bound}, got {pair!r}.")
        require_ops("randaugment_ops", self.randaugment_ops)
        if self.size < 1:
            raise ValueError(f"size must be at least 1 pixel, got {self.size!r}.")
        if self.interpolation not in ("bilinear", "bicubic"):
            raise ValueError(f"interpolation must be 'bilinear' or 'bicubic', got {self.interpolation!r}.")
        kernel = self.blur_kernel_size
        if kernel is not None and (kernel < 1 or kernel % 2 == 0 or kernel // 2 >= self.size):
            raise ValueError(f"blur_kernel_size must be odd and below twice the size {self.size}, got {kernel!r}.")
        if kernel is None and self.blur_probability and self.size < 2:
            raise ValueError(f"blur_probability must be 0 at size 1, got {self.blur_probability!r}.")

    @property
    def blur_taps(self) -> int:
        """Size of the blur kernel in pixels: odd."""
        # The official code's arithmetic: 224 -> 23, 96 -> 9, 32 -> 3.
        return self.blur_kernel_size or max(3, 2 * (self.size // 10 // 2) + 1)

    @property
    def fusible(self) -> bool:
        """Whether the kernels for CUDA devices, which need Triton, have every step of it."""
        rare = (self.shift, self.cutout_probability, self.noise_probability, self.sobel_probability)
        return not (self.randaugment_ops or any(rare)) and find_spec("triton") is not None


@torch.no_grad()
def make_view(
    images: torch.Tensor | Sequence[torch.Tensor],
    policy: ViewPolicy,
    generator: torch.Generator | None = None,
    finish: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """
    Draw one view of each image.

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`, or [`PackedImages`] or a list of
            `(channels, height, width)` of any sizes): uint8 in 0..255 or float in 0..1, 1 or 3 channels, on any
            device.
        policy ([`ViewPolicy`])
        generator (`torch.Generator`, *optional*): the only source of randomness, best on the CPU. What is drawn for a
            sample does not depend on its neighbours' pixels or sizes.
        finish (`Callable`, *optional*): a last step, such as the normalisation, from some views `(views, channels,
            size, size)` to as many float32 tensors, while they are in the cache; may work in place.

    Returns:
        `torch.FloatTensor` of shape `(batch, channels, size, size)` in [0, 1], or what `finish` makes of it, on the
        device of the images.

    Raises:
        ValueError: for malformed images.
    """
    heights, widths = image_sizes(images)
    boxes = _boxes(heights, widths, policy, generator)
    draws = _Draws(len(heights), policy, generator)
    if images[0].device.type == "cuda" and policy.fusible:
        return _fused(images, boxes, draws, policy, finish)
    draws.decide()
    crops = Crops(images, boxes, policy.size, draws.flip, policy.interpolation)
    block, values = len(heights), images[0].shape[0] * policy.size**2
    if images[0].device.type == "cpu":
        block = 1 if values > _ALONE else _TOGETHER // values
    views = None
    for start in range(0, len(heights), block):
        x = crops[start : start + block].clamp_(0, 1)  # bicubic filters overshoot
        x = _distort_(x, draws, start, policy, generator)
        x = x if finish is None else finish(x)
        if len(x) == len(heights):
            return x.contiguous()
        if views is None:
            views = x.new_empty(len(heights), *x.shape[1:])
        views[start : start + block] = x
    return views


def _fused(images, boxes, draws: "_Draws", policy: ViewPolicy, finish) -> torch.Tensor:
    """The same in a handful of kernels."""
    from .cuda import fused_views

    if not isinstance(images, PackedImages):
        images = PackedImages.pack(images)
    known = isinstance(finish, Finish) and not finish.gray
    views = fused_views(images, boxes, draws, policy, SUPPORT[policy.interpolation], finish if known else Finish())
    return views if known or finish is None else finish(views).contiguous()


def _boxes(heights, widths, policy: ViewPolicy, generator) -> torch.Tensor:
    if policy.crop_scale is None:
        side = torch.minimum(heights, widths)
        return torch.stack([(heights - side) // 2, (widths - side) // 2, side, side], dim=1)
    return random_crop_boxes(heights, widths, policy.crop_scale, policy.crop_ratio, generator)


class _Draws:
    """Every random parameter of a view except its crop and noise, on the CPU: all are drawn, used or not."""

    def __init__(self, batch: int, policy: ViewPolicy, generator: torch.Generator | None):
        u = uniform((batch, 22), generator).unbind(1)
        self.flip = u[0] < policy.flip_probability
        self.jitter = u[1] < policy.jitter_probability
        self.factors = []
        for strength, draw in zip((policy.brightness, policy.contrast, policy.saturation), u[2:5], strict=True):
            low = max(0.0, 1 - strength)
            self.factors.append(low + (1 + strength - low) * draw if strength else None)
        self.factors.append(hue_turns((2 * u[5] - 1) * policy.hue) if policy.hue else None)
        self.order = torch.stack(u[6:10], dim=1).argsort(dim=1)
        self.gray = u[10] < policy.grayscale_probability
        low, high = policy.blur_sigma
        self.sigma = torch.where(u[11] < policy.blur_probability, low + (high - low) * u[12], 0.0)
        self.solarize = u[13] < policy.solarize_probability
        self.turns = torch.where(u[14] < policy.rotate_probability, 1 + (3 * u[15]).long().clamp_max(2), 0)
        self.cutout = u[16] < policy.cutout_probability
        low, high = policy.cutout_scale
        side = ((low + (high - low) * u[17]).sqrt() * policy.size).round()
        top, left = ((centre * policy.size - side / 2).round() for centre in u[18:20])
        self.cutout_boxes = torch.stack([top, left, side, side], dim=1).long()
        self.noise = u[20] < policy.noise_probability
        self.sobel = u[21] < policy.sobel_probability
        self.shift = None
        if policy.shift:
            most = math.floor(policy.shift * policy.size)
            self.shift = (uniform((batch, 2), generator) * (2 * most + 1)).long().clamp_max(2 * most) - most
        self.randaugment = None
        if policy.randaugment_ops:
            self.randaugment = draw_randaugment(
                batch,
                policy.randaugment_ops,
                policy.randaugment_layers,
                policy.randaugment_probability,
                policy.randaugment_magnitude,
                policy.randaugment_magnitude_std,
                generator,
            )

    def decide(self) -> None:
        """Flags and orders as lists, by which the plain path chooses what to do."""
        for name in ("jitter", "order", "gray", "solarize", "turns", "cutout", "noise", "sobel"):
            vars(self)[name] = vars(self)[name].tolist()


def _distort_(x: torch.Tensor, draws: _Draws, start: int, policy: ViewPolicy, generator) -> torch.Tensor:
    """Everything after the crop, on the samples from `start` on."""
    block = slice(start, start + len(x))

    def chosen(flags: list[bool]) -> list[int]:
        return [i for i, flag in enumerate(flags[block]) if flag]

    if draws.shift is not None:
        x = shift_(x, draws.shift[block].to(x.device))
    factors = (None if f is None else f[block].to(x.device) for f in draws.factors)
    x = color_jitter_(x, *factors, draws.order[block], chosen(draws.jitter))
    x = gaussian_blur_(x, draws.sigma[block], policy.blur_taps)
    if draws.randaugment is not None:
        x = randaugment_(x, policy.randaugment_ops, draws.randaugment.samples(block))
    x = on_samples_(x, chosen(draws.gray), grayscale_)
    x = on_samples_(x, chosen(draws.solarize), partial(solarize_, threshold=policy.solarize_threshold))
    x = rotate90_(x, draws.turns[block])
    x = on_samples_(x, chosen(draws.cutout), cutout_, draws.cutout_boxes[block].to(x.device))
    std = torch.full((len(x),), policy.noise_std)
    x = on_samples_(x, chosen(draws.noise), partial(gaussian_noise_, generator=generator), std)
    return on_samples_(x, chosen(draws.sobel), sobel)
