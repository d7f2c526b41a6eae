"""Base of the processors of clips: the plain call preprocesses for inference, `views` makes training views."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from transformers.image_utils import PILImageResampling
from transformers.models.videomae.image_processing_pil_videomae import VideoMAEImageProcessorPil

from .augment.clips import crop_clips, multi_scale_boxes, sample_frames
from .augment.resize import uniform
from .image_processing_utils import SSLImageProcessor


class SSLVideoProcessor(SSLImageProcessor, VideoMAEImageProcessorPil):
    r"""
    Called with clips (lists of frames) it does ordinary, deterministic preprocessing, exactly as a native
    `VideoMAEImageProcessor` with the same attributes: all frames that come are kept, so give as many as the encoder
    takes. `views(video=clips, generator=generator)` draws training views: some frames, and one crop for all of them.

    Args:
        num_frames (`int`): frames of a view, as the encoder takes them.
        frame_stride (`int`): every how manieth frame is taken.
        crop_scales (`list[float]`): sides of the crop, shares of the clip's shorter side, largest first.
        flip_probability (`float`): of a horizontal flip.
    """

    sample_keys = ("video",)
    resample = PILImageResampling.BILINEAR
    size = {"shortest_edge": 224}
    num_frames: int
    frame_stride: int
    crop_scales: list
    flip_probability: float

    def draw_views(self, samples: Mapping[str, Any], generator: torch.Generator) -> dict[str, torch.Tensor]:
        """
        Args:
            samples (`dict`): under `"video"` a `torch.Tensor` of shape `(batch, frames, channels, height, width)` or a
                list of `(frames, channels, height, width)` of any lengths and sizes: uint8 in 0..255 or float in 0..1,
                1 or 3 channels, on any device.
            generator (`torch.Generator`): the only source of randomness; on the CPU.

        Returns:
            `dict`: `pixel_values`, normalised float32 of shape `(batch, num_frames, channels, size, size)`.
        """
        clips = samples["video"]
        lengths, heights, widths = torch.tensor([[clip.shape[i] for clip in clips] for i in (0, 2, 3)])
        size = self.inference_size
        frames = sample_frames(lengths, self.num_frames, self.frame_stride, generator)
        boxes = multi_scale_boxes(heights, widths, size, self.crop_scales, generator)
        flip = uniform((len(clips),), generator) < self.flip_probability
        chosen = [clip[index.to(clip.device)] for clip, index in zip(clips, frames, strict=True)]
        views = crop_clips(chosen, boxes, size, flip)
        return {"pixel_values": self.finish(views.flatten(0, 1)).unflatten(0, views.shape[:2])}

    @classmethod
    def attributes_for(cls, encoder: Any, size: int) -> dict[str, Any]:
        values = {"num_frames": encoder.num_frames, "tubelet_size": encoder.config.tubelet_size}
        listed = {name: value for name, value in values.items() if name in cls.view_attributes()}
        return super().attributes_for(encoder, size) | listed

    def shortest_side_needed(self) -> int:
        return math.ceil(max(self.inference_size / min(self.crop_scales), self.size["shortest_edge"]))

    def example(self, size: int, batch: int = 2, seed: int = 0) -> dict[str, Any]:
        """Random samples by key, as `views` takes them: clips of frames of `size` pixels."""
        generator = torch.Generator().manual_seed(seed)
        shape = (batch, self.num_frames * self.frame_stride, 3, size, size)
        return {"video": torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)}

    largest_view = None  # what pays for images does not for clips
