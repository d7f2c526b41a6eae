"""Views of CLIP (arXiv:2103.00020, section 2.4)."""

from collections.abc import Mapping
from typing import Any

import torch
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from ...augment import ViewPolicy, crop_resize
from ...augment.resize import image_sizes, random_square_boxes
from ...image_text_processing_utils import ImageTextProcessor


class SSLCLIPImageProcessor(ImageTextProcessor):
    r"""
    A random square of the resized image, and nothing else: the image is resized as for inference (`size`), and the
    square (`crop_size`) lies anywhere in it instead of in its middle. Further attributes are those of
    [`ImageTextProcessor`].

    Args:
        vocab_size (`int`, *optional*, defaults to 49408): most tokens that are learnt, those of the paper.
        context_length (`int`, *optional*, defaults to 77): tokens of a caption, as in the official code.
    """

    native_class = CLIPImageProcessorPil  # a `CLIPProcessor` needs CLIP's own
    size = {"shortest_edge": 224}
    image_mean = OPENAI_CLIP_MEAN
    image_std = OPENAI_CLIP_STD
    vocab_size: int = 49408
    context_length: int = 77

    @classmethod
    def attributes_for(cls, encoder: Any, size: int) -> dict[str, Any]:
        return super().attributes_for(encoder, size) | {"size": {"shortest_edge": size}}

    def example(self, size: int, batch: int = 2, seed: int = 0) -> dict[str, Any]:
        """As the base class, with images that are wider than high: a square has one place only in a square."""
        samples = super().example(2 * size, batch, seed)
        return samples | {"image": samples["image"][:, :, :size]}

    def policies(self) -> dict[str, list[ViewPolicy]]:
        """The size of the view and what is done to it, which is nothing; `draw_views` draws its place."""
        plain = dict.fromkeys(("flip_probability", "jitter_probability", "grayscale_probability"), 0.0)
        return {"pixel_values": [ViewPolicy(size=self.inference_size, crop_scale=None, **plain)]}

    def draw_views(self, samples: Mapping[str, Any], generator: torch.Generator) -> dict[str, torch.Tensor]:
        """`pixel_values` of shape `(batch, channels, size, size)`, `input_ids` of shape `(batch, context_length)`."""
        share = self.inference_size / self.size["shortest_edge"] if self.do_center_crop else 1.0
        boxes = random_square_boxes(*image_sizes(samples["image"]), share, generator)
        view = crop_resize(samples["image"], boxes, self.inference_size, interpolation="bicubic").clamp_(0, 1)
        return {"pixel_values": self.finish(view), "input_ids": self.tokenise(samples["text"]).to(view.device)}
