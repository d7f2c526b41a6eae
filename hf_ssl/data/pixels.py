"""What the values stored in the images of a data set mean: settled once, and the same for every image of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

_BITS = {255: "8 bits in 16", 1023: "10 bits in 16", 4095: "12 bits in 16", 16383: "14 bits in 16", 65535: "16 bits"}
# Without an image, a stored value means this.
_INTEGERS, _FLOATS = (0.0, 65535.0), (0.0, 1.0)
# Shares of the sampled values that may lie outside of the range at either end: a hot pixel says nothing.
_STRAY_INTEGERS, _STRAY_FLOATS = 1 / 10_000, 1 / 1_000
_DARK = 1 / 8  # what never reaches this share of a usual range was not meant to fill it


@dataclass(frozen=True)
class PixelFormat:
    """
    How the stored values of all images of a data set become pixels from 0 to 255.

    Images of 8 bits are pixels as they are. In others, the lowest and the highest value of the whole data set become 0
    and 255, and what lies outside is clipped.

    Args:
        channels (`int`, *optional*, defaults to 3): of the decoded images, 3 (RGB) or 1 (gray).
        is_gray (`bool`, *optional*, defaults to `False`): whether the images show no colour, however they are stored.
        has_bytes (`bool`, *optional*, defaults to `True`): whether there are images of 8 bits.
        integers (`tuple[float, float]`, *optional*): what becomes 0 and 255 in images of integers of more than 8 bits;
            None where there are none, and then 0 and 65535.
        floats (`tuple[float, float]`, *optional*): the same in images of floats; None where there are none, and then
            0 and 1.
        bands (`int`, *optional*): how many bands to take, the first ones, of images that have more and do not say what
            they mean, 1 or 3. By default such images are refused.
    """

    channels: int = 3
    is_gray: bool = False
    has_bytes: bool = True
    integers: tuple[float, float] | None = None
    floats: tuple[float, float] | None = None
    bands: int | None = None

    def __post_init__(self):
        if self.channels not in (1, 3) or self.bands not in (None, 1, 3):
            raise ValueError(f"channels={self.channels!r}, bands={self.bands!r}: give 1 or 3.")
        for name in ("integers", "floats"):
            limits = vars(self)[name]
            if limits is not None:
                low, high = map(float, limits)
                if not low <= high:
                    raise ValueError(f"{name}={limits!r}: give the lowest value and the highest.")
                object.__setattr__(self, name, (low, high))

    @classmethod
    def of(
        cls, samples: Sequence[np.ndarray], *, channels: int = 3, is_gray: bool = False, has_bytes: bool = False
    ) -> "PixelFormat":
        """
        The format of images in which these values are stored.

        Args:
            samples (`list[np.ndarray]`): values of some images, of shape `(values,)`, each of the dtype of its image.
            channels, is_gray: as above.
            has_bytes (`bool`, *optional*, defaults to `False`): whether there are images of 8 bits beside these.
        """
        wide = [values for values in samples if values.dtype not in (np.uint8, bool)]
        return cls(
            channels=channels,
            is_gray=is_gray,
            has_bytes=has_bytes or len(wide) < len(samples) or not samples,
            integers=_integer_range([values for values in wide if values.dtype.kind != "f"]),
            floats=_float_range([values for values in wide if values.dtype.kind == "f"]),
        )

    def to_uint8(self, values: np.ndarray) -> np.ndarray:
        """
        Pixels from 0 to 255, of the same shape.

        Args:
            values (`np.ndarray`): as stored, of any dtype of numbers or bool, all of them finite.
        """
        if values.dtype == np.uint8:
            return values
        if values.dtype == bool:
            return values.astype(np.uint8) * 255
        low, high = self.integers or _INTEGERS
        if values.dtype.kind == "f":
            low, high = self.floats or _FLOATS
        exact = np.float32 if values.dtype.itemsize <= 2 else np.float64  # 32-bit integers need 64-bit floats
        scaled = (values.astype(exact) - exact(low)) * exact(255 / ((high - low) or 1))
        return scaled.round().clip(0, 255).astype(np.uint8)

    @property
    def is_plain(self) -> bool:
        """Whether all images have 8 bits."""
        return self.integers is None and self.floats is None

    def with_ranges_of(self, trained: "PixelFormat") -> "PixelFormat":
        """This format for an encoder that was trained with another one: with the ranges of that, where it has any."""
        return replace(self, integers=trained.integers or self.integers, floats=trained.floats or self.floats)

    def describe(self) -> str:
        """One clause for people: "RGB, 8 bits", or "gray, 12 bits in 16 (maximum 4095), scaled to 0..255"."""
        kinds = ["8 bits"] if self.has_bytes else []
        if self.integers is not None:
            low, high = self.integers
            maximum = f" (maximum {high:g})" if high < 65535 else ""
            kinds.append(_BITS[high] + maximum if low == 0 and high in _BITS else f"integers {low:.7g} to {high:.7g}")
        if self.floats is not None:
            kinds.append("floats {:.4g} to {:.4g}".format(*self.floats))
        color = "gray" if self.is_gray else "RGB" if self.channels == 3 else "RGB made gray"
        scaled = "" if self.is_plain else ", scaled to 0..255"
        bands = "" if self.bands is None else f", the first {self.bands} of more bands"
        return f"{color}, {' and '.join(kinds)}{scaled}{bands}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types only."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "PixelFormat":
        """
        The inverse of `to_dict`.

        Raises:
            ValueError: for anything else.
        """
        try:
            return cls(**data)
        except (TypeError, ValueError) as error:
            raise ValueError(f"pixel_format {data!r} is none that hf_ssl writes: {error}") from error


def _integer_range(samples: Sequence[np.ndarray]) -> tuple[float, float] | None:
    """
    What becomes 0 and 255 in images of integers, of which these are samples: from 0 to the largest value of 8, 10, 12,
    14 or 16 bits where that holds them, else from the lowest to the highest value.
    """
    if not samples:
        return None
    low, high = _extremes(samples, _STRAY_INTEGERS)
    if low >= 0 and high >= _DARK * 255:
        return next(((0.0, float(maximum)) for maximum in _BITS if high <= maximum), (low, high))
    return low, high


def _float_range(samples: Sequence[np.ndarray]) -> tuple[float, float] | None:
    """
    What becomes 0 and 255 in images of floats, of which these are samples: 0 to 1 or 0 to 255 where they lie there,
    but for an overshoot of a tenth as resizing makes it, else from the lowest to the highest value.
    """
    if not samples:
        return None
    low, high = _extremes(samples, _STRAY_FLOATS)
    if low >= -0.1 and high <= 1.1 and (high >= _DARK or high == low):
        return 0.0, 1.0
    if low >= -25.5 and 127.5 <= high <= 280.5:  # a range of physical values may well end below
        return 0.0, 255.0
    return low, high


def _extremes(samples: Sequence[np.ndarray], stray: float) -> tuple[float, float]:
    values = np.concatenate(samples)
    left_out = int(len(values) * stray)
    values = np.partition(values, (left_out, len(values) - 1 - left_out))
    return float(values[left_out]), float(values[-1 - left_out])
