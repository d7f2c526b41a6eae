"""An image processor from anywhere: sizes, numbers of views and statistics that can be meant, or one sentence."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoImageProcessor, __version__
from transformers.image_processing_utils import BaseImageProcessor
from transformers.processing_utils import ImagesKwargs
from transformers.utils import CONFIG_NAME, IMAGE_PROCESSOR_NAME, PROCESSOR_NAME

from ..utils.spelling import find_slip
from .bounded_json import read_json, require_bounded
from .configs import BUILDING_ERRORS, require_config
from .repository_files import Where, find_file

MAX_SIDE = 4096  # pixels
_MAX_VIEWS = 100
_SIZE_KEYS = {"height", "width", "shortest_edge", "longest_edge", "max_height", "max_width"}
# Pattern of a name -> smallest and largest value, and whether it is whole. `None` always fits.
_RANGES = (
    (r"vocab_size", 2, 2**20, True),
    (r"context_length", 3, 2**16, True),
    (r"\w+_size", 1, MAX_SIDE, True),
    (r"\w+_jitter", 0, MAX_SIDE, True),
    (r"(global_crops|views_per_image)", 1, _MAX_VIEWS, True),
    (r"\w+_(crops|layers)", 0, _MAX_VIEWS, True),
    (r"(jigsaw|local)_grid", 0, 64, True),
    (r"\w+_probability", 0, 1, False),
    (r"\w+_magnitude", 0, 10, False),
    (r"\w+_magnitude_std", 0, 100, False),
    (r"crop_pct", 0.01, 1, False),
    (r"resample", 0, 5, True),
    (r"sampling_rate", 1000, 10**6, True),
    (r"num_mel_bins", 1, 512, True),
    (r"max_length", 1, 10**5, True),
    (r"(padding_value|mean)", -1e6, 1e6, False),
    (r"std", 1e-6, 1e6, False),
    (r"gain_concentration", 0, 1000, True),
    (r"roll_share", 0, 1, False),
)
_PAIRS = (
    (r"(\w*crop|jigsaw|\w+_source)_scale", 1),
    (r"crop_ratio", 100),
    (r"blur_sigma", 1000),
)  # increasing, above 0, at most


def checked_image_processor(
    repository: str | Path, where: Where, auto: type = AutoImageProcessor
) -> BaseImageProcessor:
    """
    The image processor of a repository; code that comes with it is not run, and its values can be meant.

    Args:
        repository (`str` or `Path`): id on the Hub, or folder.
        where (`dict`): from [`pinned`].
        auto (`type`, *optional*, defaults to `AutoImageProcessor`): what finds it; `AutoFeatureExtractor` for one of
            sounds.

    Raises:
        ValueError: for one that does not run here, or of sizes, numbers or types out of bounds.
        OSError: where there is none.
    """
    place = Path(repository, where.get("subfolder") or "")
    require_processor_files(repository, where)
    config = find_file(repository, CONFIG_NAME, where)
    if config is not None:  # transformers asks it for the kind of processor
        require_config(read_json(config), place / CONFIG_NAME)
    try:
        return auto.from_pretrained(repository, trust_remote_code=False, **where)
    except OSError:
        raise
    except ValueError as error:
        text = " ".join(str(error).split())
        if "Unrecognized image processor" in text:  # and then all that there are
            text = f"{place} has an image processor of a kind that transformers {__version__} does not know."
        raise ValueError(text[:1000]) from None
    except BUILDING_ERRORS as error:
        text = " ".join(str(error).split())[:200]
        raise ValueError(f"The image processor of {place} cannot be used ({type(error).__name__}: {text}).") from None


def require_processor_files(repository: str | Path, where: Where) -> None:
    """As [`require_processor`], for the files of a repository that an image processor is read from."""
    place = Path(repository, where.get("subfolder") or "")
    found = {name: find_file(repository, name, where) for name in (IMAGE_PROCESSOR_NAME, PROCESSOR_NAME)}
    for name, file in found.items():
        if file is not None:
            values = read_json(file)
            parts = ("image_processor", "feature_extractor")
            for part in [values] if name != PROCESSOR_NAME else [values.get(part, {}) for part in parts]:
                if not isinstance(part, Mapping):
                    raise ValueError(f"{place / name} has an image_processor that is no JSON object.")
                require_processor(part, place / name)


def require_processor(values: Mapping[str, Any], place: str | Path) -> None:
    """
    Raises:
        ValueError: unless the attributes of an image processor have types and values that can be meant; it names
            `place`.
    """
    try:
        require_bounded(values)
    except ValueError as error:
        raise ValueError(f"{place} {error}.") from None
    if slip := find_slip(values, ImagesKwargs.__annotations__):
        raise ValueError(f"{place} has {slip[0]}, which is no attribute of an image processor: is {slip[1]} meant?")
    for name, value in values.items():
        if value is None:
            continue
        problem = _problem(name, value)
        if problem:
            raise ValueError(f"{place}: {name} must be {problem}, got {value!r:.100}.")
    mean, std = values.get("image_mean"), values.get("image_std")
    if isinstance(mean, list | tuple) and isinstance(std, list | tuple) and len(mean) != len(std):
        raise ValueError(f"{place}: image_mean has {len(mean)} values, but image_std {len(std)}.")


def _problem(name: str, value: Any) -> str | None:
    """What the attribute must be, where it is not."""
    if name.startswith("do_"):
        return None if isinstance(value, bool) else "true or false"
    if name in ("size", "crop_size", "pad_size"):
        return None if _is_size(value) else f"a size in pixels, each side in [1, {MAX_SIDE}]"
    if name in ("image_mean", "image_std"):
        entries = value if isinstance(value, list | tuple) else [value]
        low = 0 if name == "image_mean" else 1e-6
        fits = all(_is_number(x) and (name == "image_mean" or x >= low) and abs(x) < 1e6 for x in entries)
        return None if entries and fits else "one finite number a channel" + ", above 0" * (name == "image_std")
    if name == "rescale_factor":
        return None if _is_number(value) and 0 < value <= 1e3 else "a number above 0"
    if name == "color_jitter":
        fits = isinstance(value, list | tuple) and len(value) == 4 and all(_is_number(x) and x >= 0 for x in value)
        return None if fits else "four numbers, at least 0"
    if name == "mask_ratio":
        return None if _is_number(value) and 0 <= value < 1 else "a number in [0, 1)"
    if name in ("image_processor_type", "processor_class", "feature_extractor_type", "data_format", "padding_side"):
        return None if isinstance(value, str) else "a text"
    if name.endswith("_size") and isinstance(value, Mapping):
        return None if _is_size(value) else f"a size in pixels, each side in [1, {MAX_SIDE}]"
    for pattern, top in _PAIRS:
        if re.fullmatch(pattern, name):
            fits = isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value))
            fits = fits and 0 < value[0] <= value[1] <= top
            return None if fits else f"an increasing pair in (0, {top}]"
    for pattern, low, high, whole in _RANGES:
        if re.fullmatch(pattern, name):
            several = isinstance(value, list | tuple) and not whole
            entries = value if several else [value]
            fits = all(_is_number(x) and (not whole or isinstance(x, int)) and low <= x <= high for x in entries)
            kind = "a whole number" if whole else "a number"
            return None if 0 < len(entries) <= _MAX_VIEWS and fits else f"{kind} in [{low}, {high}]"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _is_size(value: Any) -> bool:
    if isinstance(value, Mapping):
        sides = [side for side in value.values() if side is not None]
        if not value or not value.keys() <= _SIZE_KEYS:
            return False
    else:
        sides = value if isinstance(value, list | tuple) else [value]
    return 0 < len(sides) <= 4 and all(
        isinstance(side, int) and not isinstance(side, bool) and 1 <= side <= MAX_SIDE for side in sides
    )
