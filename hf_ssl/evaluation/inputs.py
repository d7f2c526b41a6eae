"""From samples of a data set to the inputs of a native encoder, by its own processor: one function a modality."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..data.audio import SAMPLING_RATE
from ..encoders import Encoder, ImageEncoder
from ..modalities import get_modality


def make_inputs(processor: Callable, samples: list[dict], encoder: Encoder | None) -> torch.Tensor:
    """
    The batch that an encoder takes.

    Args:
        processor (callable): the encoder's own, of transformers or of a method.
        samples (`list[dict]`): of one of our data sets.
        encoder ([`Encoder`], *optional*): its adapter; without it, samples are images, and as many channels are given
            as the processor normalises.
    """
    modality = get_modality("image" if encoder is None else encoder.modality)
    values = [sample[modality.sample_key] for sample in samples]
    return modality.load("inputs")(processor, values, encoder)


def of_images(processor: Callable, images: list[torch.Tensor], encoder: ImageEncoder | None) -> torch.Tensor:
    """
    Pixel values (batch, channels, height, width) of uint8 images (channels, height, width).

    Raises:
        ValueError: for images whose channels do not fit, or that stay of different sizes.
    """
    channels = None if encoder is None else encoder.num_channels
    pictures = [to_picture(image, channels or _processor_channels(processor)) for image in images]
    try:
        pixels = processor(images=pictures, return_tensors="pt")["pixel_values"]
    except ValueError as error:
        if len({image.shape for image in images}) == 1:
            raise
        raise ValueError(
            "The image processor could not stack images of different sizes: use one that resizes or crops."
        ) from error
    if channels is not None and pixels.shape[1] != channels:
        raise ValueError(
            f"The encoder takes {channels} channels, but the image processor gives {pixels.shape[1]}: check "
            "num_channels of the encoder against image_mean and do_convert_rgb of the processor."
        )
    return pixels


def of_clips(processor: Callable, clips: list[torch.Tensor], encoder: ImageEncoder) -> torch.Tensor:
    """Pixel values (batch, frames, channels, height, width) of evenly spread frames of uint8 clips."""
    frames = [[to_picture(frame, encoder.num_channels) for frame in encoder.fit(clip)] for clip in clips]
    if encoder.num_channels == 1:  # native processors look for channels in arrays
        frames = [[np.asarray(frame)[..., None] for frame in clip] for clip in frames]
    return processor(frames, return_tensors="pt")["pixel_values"]


def of_sounds(processor: Callable, sounds: list[torch.Tensor], encoder: Encoder) -> torch.Tensor:
    """Log-mel energies (batch, time, mel) of sounds (samples,), cut or with silence after them."""
    fitted = [encoder.fit(sound).numpy() for sound in sounds]
    return processor(fitted, sampling_rate=SAMPLING_RATE, return_tensors="pt")["input_values"]


def _processor_channels(processor: Any) -> int | None:
    """Channels that an image processor gives, or None when it keeps what comes in."""
    settings = vars(processor)
    mean = settings.get("image_mean")
    if settings.get("do_normalize") and isinstance(mean, (list, tuple)):
        return len(mean)
    return 3 if settings.get("do_convert_rgb") else None


def to_picture(image: torch.Tensor, channels: int | None) -> Image.Image | np.ndarray:
    """
    A uint8 image (C, H, W) with `channels` channels, in the form that leaves an image processor nothing to guess: a
    PIL image for gray and RGB, else an array (H, W, C). Gray becomes RGB, and RGB luminance.
    """
    if image.dtype != torch.uint8 or image.ndim != 3:
        raise ValueError(f"Images must be uint8 tensors (C, H, W), got {image.dtype} of shape {tuple(image.shape)}.")
    channels = channels or len(image)
    if len(image) not in (channels, 1) and (len(image), channels) != (3, 1):
        raise ValueError(
            f"The images have {len(image)} channels and the encoder or its processor takes {channels}: only grey "
            "images can be spread over more channels, and RGB made grey; convert the others in the data set."
        )
    if channels not in (1, 3):
        return image.expand(channels, -1, -1).permute(1, 2, 0).contiguous().numpy()
    mode = "L" if channels == 1 else "RGB"
    picture = Image.fromarray(image[0].numpy() if len(image) == 1 else image.permute(1, 2, 0).contiguous().numpy())
    return picture if picture.mode == mode else picture.convert(mode)
