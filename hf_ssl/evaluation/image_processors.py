"""The image processor of an encoder: its own, that of the run it comes from, or one that follows from its config."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

from PIL import Image
from transformers import BaseImageProcessor, PreTrainedModel
from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, PILImageResampling
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
from transformers.utils import IMAGE_PROCESSOR_NAME, PROCESSOR_NAME, cached_file

from ..checks.processors import checked_image_processor
from ..checks.repository_files import pinned
from ..encoders import ImageEncoder, encoder_for
from ..loading import PRETRAINING
from ..modalities import get_modality

_USUAL_SIDE = 224  # where a config names none, as that of a ResNet


def load_image_processor(
    repository: str, *, revision: str | None = None, subfolder: str = "", modality: str = "image"
) -> Callable:
    """
    The image processor of a repository, or what an encoder of another modality has instead; code that comes with it is
    not run.

    Raises:
        ValueError: where there is none, or none that runs here.
    """
    where = pinned(repository, {"revision": revision, "subfolder": subfolder})
    try:
        processor = checked_image_processor(repository, where, get_modality(modality).load("auto_processor"))
        if modality == "image":
            _require_works(processor)
        return processor
    except OSError:
        reason = f"it has no {IMAGE_PROCESSOR_NAME}"
    except ValueError as error:
        reason = " ".join(str(error).split())[:300].rstrip(".")
    raise ValueError(
        f"{repository} has no image processor that can be used here ({reason}): take that of another repository, "
        "--image-processor on the command line."
    )


def _require_works(processor: BaseImageProcessor) -> None:
    """A `ValueError` where a picture of the channels that an image processor has statistics for breaks it."""
    mean = processor.to_dict().get("image_mean")
    channels = len(mean) if isinstance(mean, list | tuple) else 3
    if channels not in (1, 3):
        return
    picture = Image.new("L" if channels == 1 else "RGB", (64, 48))
    try:
        pixels = processor(images=[picture], return_tensors="pt")["pixel_values"]
        finite = bool(pixels.isfinite().all())
    except Exception as error:  # of a stranger's attributes, whatever they break
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"it makes nothing of a picture: {type(error).__name__}: {reason}") from None
    if not finite:
        raise ValueError("it makes numbers of a picture that are not finite")


def find_image_processor(
    model: PreTrainedModel, repository: str, *, revision: str | None = None, subfolder: str = ""
) -> tuple[Callable, str | None]:
    """
    The image processor that belongs to an encoder, or else one that fits it.

    Where the repository has none, that of `pretraining/` inside of it is taken, or of the folder around it; else one
    is made from the config of the encoder: its image size and channels, with the mean and standard deviation of
    ImageNet.

    Args:
        model (`PreTrainedModel`): the encoder, from `load_encoder`.
        repository, revision, subfolder: where it comes from.

    Returns:
        `(callable, str or None)`: the image processor, and one sentence on what was assumed, `None` where it is the
        encoder's own.

    Raises:
        ValueError: where there is one that does not run here.
    """
    encoder = encoder_for(model.config)
    load = partial(load_image_processor, modality=encoder.modality)
    if encoder.brings_processor or _has_processor(repository, revision, subfolder):
        return load(repository, revision=revision, subfolder=subfolder), None
    place = Path(repository, subfolder)
    if Path(repository).is_dir():
        relatives = [(str(place), PRETRAINING), (str(place.parent), "")]
    else:
        relatives = [(repository, "" if subfolder else PRETRAINING)]
    for relative, folder in relatives:
        if _has_processor(relative, revision, folder):
            found = load(relative, revision=revision, subfolder=folder)
            return found, f"{place} has no image processor: that of {Path(relative, folder)} is taken."
    if encoder.modality != "image":
        raise ValueError(f"{place} has no processor: take that of another repository, with --image-processor.")
    processor, assumed = _processor_for(model)
    return processor, f"{place} has no image processor, so it is assumed: {assumed} (--image-processor takes another)."


def _has_processor(repository: str, revision: str | None, subfolder: str) -> bool:
    """Whether one is stored there; a Hub that cannot be asked has said that it has none."""
    names = (IMAGE_PROCESSOR_NAME, PROCESSOR_NAME)
    if Path(repository).is_dir():
        return any(Path(repository, subfolder, name).is_file() for name in names)
    quiet = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
    where = {"revision": revision, "subfolder": subfolder, **quiet}
    return any(cached_file(repository, name, **where) is not None for name in names)


def _processor_for(model: PreTrainedModel) -> tuple[Callable, str]:
    """An image processor that fits a config, and what it does, in words."""
    encoder = cast(ImageEncoder, encoder_for(model.config))
    channels = encoder.num_channels
    height, width = encoder.image_size or (_USUAL_SIDE, _USUAL_SIDE)
    mean, std = IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
    if channels != 3:
        mean, std = ([sum(values) / 3] * channels for values in (mean, std))
    processor = ViTImageProcessorPil(
        size={"shortest_edge": max(height, width)},
        crop_size={"height": height, "width": width},
        do_center_crop=True,
        do_convert_rgb=channels == 3,
        resample=PILImageResampling.BICUBIC,
        image_mean=list(mean),
        image_std=list(std),
    )
    kind = {1: "gray", 3: "RGB"}.get(channels, f"{channels}-channel")
    return (
        processor,
        f"{kind} images, resized and cropped to {height}x{width} pixels, and the mean and deviation of ImageNet",
    )
