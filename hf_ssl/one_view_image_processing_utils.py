"""Base of the image processors that draw one view of an image, and a mask over its patches."""

from collections.abc import Mapping
from typing import Any

import torch

from .augment import ViewPolicy
from .image_processing_utils import SSLImageProcessor


class OneViewImageProcessor(SSLImageProcessor):
    r"""
    One crop of each image, flipped at random. The values of the attributes stand in each method's own processor.

    Args:
        patch_size (`int`, *optional*): side of the encoder's patches in pixels.
        mask_ratio (`float`, *optional*): share of masked patches.
        crop_scale (`list[float]`, *optional*): area of the crop, share of the image.
        crop_ratio (`list[float]`, *optional*): aspect ratio of the crop.
        flip_probability (`float`, *optional*): horizontal flip.
    """

    patch_size: int
    mask_ratio: float
    crop_scale: list
    crop_ratio: list
    flip_probability: float

    def policies(self) -> dict[str, list[ViewPolicy]]:
        return {"pixel_values": [self.policy()]}

    def policy(self, **fields: Any) -> ViewPolicy:
        """How the view is drawn; `fields` are further ones of [`ViewPolicy`]."""
        return ViewPolicy(
            size=self.inference_size,
            crop_scale=tuple(self.crop_scale),
            crop_ratio=tuple(self.crop_ratio),
            interpolation="bicubic",
            flip_probability=self.flip_probability,
            grayscale_probability=0.0,
            **{"jitter_probability": 0.0} | fields,
        )

    def draw_views(self, samples: Mapping[str, Any], generator: torch.Generator | None) -> dict[str, torch.Tensor]:
        """The one view under `pixel_values`, of shape `(batch, channels, size, size)`."""
        return {"pixel_values": super().draw_views(samples, generator)["pixel_values"][:, 0]}
