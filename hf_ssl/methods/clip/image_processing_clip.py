"""Views of CLIP (arXiv:2103.00020, section 2.4)."""

import torch
from transformers import BatchFeature
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from ...augment import ViewPolicy, crop_resize
from ...augment.resize import image_sizes, random_square_boxes
from ...image_text_processing_utils import ImageTextProcessor


class SSLCLIPImageProcessor(ImageTextProcessor):
    r"""
    A random square of the resized image, and nothing else: the image is resized as for inference (`size`), and the
    square (`crop_size`) lies anywhere in it instead of in its middle. Captions are tokenised, see
    [`ImageTextProcessor`].
    """

    size = {"shortest_edge": 224}
    image_mean = OPENAI_CLIP_MEAN
    image_std = OPENAI_CLIP_STD

    def policies(self) -> dict[str, list[ViewPolicy]]:
        """What the view is at least; `views` draws its place."""
        plain = dict.fromkeys(("flip_probability", "jitter_probability", "grayscale_probability"), 0.0)
        return {"pixel_values": [ViewPolicy(size=self.inference_size, crop_scale=None, **plain)]}

    def views(
        self, images: torch.Tensor | list[torch.Tensor], generator: torch.Generator | None = None
    ) -> BatchFeature:
        """As in the base class, with `pixel_values` of shape `(batch, channels, size, size)`."""
        share = self.inference_size / self.size["shortest_edge"] if self.do_center_crop else 1.0
        boxes = random_square_boxes(*image_sizes(images), share, generator)
        view = crop_resize(images, boxes, self.inference_size, interpolation="bicubic").clamp_(0, 1)
        return BatchFeature({"pixel_values": self.finish(view)})
