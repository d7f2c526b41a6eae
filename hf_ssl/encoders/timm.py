"""Encoders of timm inside of transformers (`timm_wrapper`)."""

import torch
from transformers import PreTrainedModel

from .images import ImageEncoder


class TimmEncoder(ImageEncoder):
    """The embedding is what timm pools. Its networks are of many kinds, so that nothing is known of what is inside."""

    model_types = ("timm_wrapper",)
    brings_processor = True
    pooled = "what timm pools from its last features"
    hidden = "the features of the last layer, as timm gives them"

    @property
    def width(self) -> int:
        known = self.config.to_dict().get("num_features")
        return known or self._meta().timm_model.num_features

    @property
    def num_channels(self) -> int:
        return self._pretrained("input_size", (3,))[0]

    @property
    def image_size(self) -> tuple[int, int] | None:
        size = self._pretrained("input_size", None)
        return size and (size[1], size[2])

    @property
    def patch_size(self) -> int:
        return 1

    @property
    def stride(self) -> int:
        return 32

    def _pretrained(self, name: str, otherwise):
        return (self.config.to_dict().get("pretrained_cfg") or {}).get(name) or otherwise

    def _meta(self) -> PreTrainedModel:
        with torch.device("meta"):
            return self.build()
