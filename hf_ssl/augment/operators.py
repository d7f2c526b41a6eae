"""SimCLR's figure 4 and 5 (arXiv:2002.05709): the operators one by one, and one after the other."""

import difflib
from collections.abc import Callable
from functools import partial

import torch

from .views import ViewPolicy, make_view


def _apply(images, size: int, generator: torch.Generator | None = None, **changes) -> torch.Tensor:
    """Draw views under a policy that does nothing but `changes`."""
    nothing = {"crop_scale": None, "flip_probability": 0, "jitter_probability": 0, "grayscale_probability": 0}
    return make_view(images, ViewPolicy(size, **(nothing | changes)), generator)


_JITTER = {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2, "jitter_probability": 1}

# The ten operators of SimCLR's figure 4 (arXiv:2002.05709), and solarisation: name -> function(images, size,
# generator), which applies that operator to every sample. Those that do not crop resize the largest centred square.
OPERATORS: dict[str, Callable[..., torch.Tensor]] = {
    "identity": _apply,
    "crop_resize": partial(_apply, crop_scale=(0.08, 1.0)),
    "crop_resize_flip": partial(_apply, crop_scale=(0.08, 1.0), flip_probability=0.5),
    "color_drop": partial(_apply, grayscale_probability=1),
    "color_jitter": partial(_apply, **_JITTER),
    "rotate": partial(_apply, rotate_probability=1),
    "cutout": partial(_apply, cutout_probability=1),
    "gaussian_noise": partial(_apply, noise_probability=1),
    "gaussian_blur": partial(_apply, blur_probability=1),
    "sobel": partial(_apply, sobel_probability=1),
    "solarize": partial(_apply, solarize_probability=1),
}


def augment(
    images: torch.Tensor | list[torch.Tensor],
    names: list[str] | tuple[str, ...],
    size: int,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """
    Apply operators of `OPERATORS` one after the other, as in SimCLR's figure 5: put a crop first, where it sees the
    full resolution.

    Args:
        images (`torch.Tensor` of shape `(batch, channels, height, width)`, or a list of `(channels, height, width)`):
            uint8 in 0..255 or float in 0..1.
        names (`list[str]`): names of operators, in order; at least one.
        size (`int`): side of the result in pixels.
        generator (`torch.Generator`, *optional*)

    Returns:
        `torch.FloatTensor` of shape `(batch, channels, size, size)` in [0, 1].

    Raises:
        ValueError: for an unknown name, with the nearest one, or no name.
    """
    if not names or isinstance(names, str):
        raise ValueError(f"names must be a list of at least one operator, got {names!r}.")
    for name in names:
        if name not in OPERATORS:
            near = difflib.get_close_matches(name, OPERATORS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(OPERATORS)}."
            raise ValueError(f"There is no operator {name!r}. {hint}")
    for name in names:
        images = OPERATORS[name](images, size, generator)
    return images
