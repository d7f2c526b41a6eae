"""Views of OBoW (arXiv:2012.11552; values of the official code)."""

from collections.abc import Mapping
from typing import Any

import torch

from ...augment import ViewPolicy, crop_resize, make_view
from ...augment.patches import grid_patches
from ...augment.resize import image_sizes, uniform
from ...image_processing_utils import AugmentedImageProcessor


class OBoWImageProcessor(AugmentedImageProcessor):
    r"""
    What the teacher sees (`pixel_values`, one view: the inference preprocessing, sometimes flipped), the student's
    crops (`student_pixel_values`) and patches of one more crop (`local_pixel_values`). What the attributes that are
    not explained below mean: see [`AugmentedImageProcessor`], whose lists have an entry for crops and one for patches.

    Args:
        student_crop_size (`int`, *optional*, defaults to 160): side of the crops in pixels.
        student_crop_scale (`list[float]`, *optional*, defaults to `[0.08, 0.6]`): area, share of the image.
        student_crops (`int`, *optional*, defaults to 2): how many; 0 for none.
        local_crop_size (`int`, *optional*, defaults to 96): side of the patches in pixels.
        local_crops (`int`, *optional*, defaults to 5): how many; 0 for none.
        local_grid (`int`, *optional*, defaults to 3): they are drawn from a grid of so many along each side.
        local_jitter (`int`, *optional*, defaults to 24): pixels that each is moved by at most.
        local_source_size (`int`, *optional*, defaults to 256): side in pixels of the crop that the grid lies on.
        local_source_scale (`list[float]`, *optional*, defaults to `[0.6, 1.0]`): its area, share of the image.
    """

    # The official configuration of ImageNet with ResNet-50.
    student_crop_size: int = 160
    student_crop_scale: list = [0.08, 0.6]
    student_crops: int = 2
    local_crop_size: int = 96
    local_crops: int = 5
    local_grid: int = 3
    local_jitter: int = 24
    local_source_size: int = 256
    local_source_scale: list = [0.6, 1.0]
    crop_ratio: list = [3 / 4, 4 / 3]  # torchvision's RandomResizedCrop as it is
    flip_probability: float = 0.5
    color_jitter: list = [0.4, 0.4, 0.4, 0.1]
    color_jitter_probability: float = 0.8
    grayscale_probability: float = 0.2
    blur_probability: float | list = [0.5, 0.0]  # patches are not blurred
    blur_sigma: list = [0.1, 2.0]

    def policies(self) -> dict[str, list[ViewPolicy]]:
        crop = self.policy(0, self.student_crop_size, self.student_crop_scale)
        return {"student_pixel_values": [crop] * self.student_crops} if self.student_crops else {}

    def draw_views(self, samples: Mapping[str, Any], generator: torch.Generator | None) -> dict[str, torch.Tensor]:
        views = {"pixel_values": self.finish(self._teacher_view(samples["image"], generator))[:, None]}
        views |= super().draw_views(samples, generator)
        if self.local_crops:
            policy = self.policy(1, self.local_source_size, self.local_source_scale)
            source = make_view(samples["image"], policy, generator, self.finish)
            views["local_pixel_values"] = grid_patches(
                source, self.local_crop_size, self.local_crops, self.local_grid, self.local_jitter, generator
            )
        return views

    def _teacher_view(self, images, generator: torch.Generator | None) -> torch.Tensor:
        """The centre that inference would see, (batch, channels, size, size) in [0, 1], flipped or not."""
        heights, widths = image_sizes(images)
        flip = uniform((len(heights), 1), generator)[:, 0] < self.flip_probability
        share = self.inference_size / self.size["shortest_edge"] if self.do_center_crop else 1.0
        short = torch.minimum(heights, widths)
        side = (short * share).round().long().clamp(torch.ones_like(short), short)
        boxes = torch.stack([(heights - side) // 2, (widths - side) // 2, side, side], dim=1)
        return crop_resize(images, boxes, self.inference_size, flip, "bicubic").clamp_(0, 1)
