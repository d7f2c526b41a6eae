"""Architectures that no family knows, and models of ours with an encoder inside."""

from collections.abc import Mapping
from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from .base import Encoder
from .images import ImageEncoder
from .inside import HasInside


class FallbackEncoder(ImageEncoder):
    """
    What the outputs of the native model and the usual names of fields tell. A learnt pooler belongs to the encoder: it
    is trained and published with the rest.
    """

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.config.to_dict()

    @property
    def width(self) -> int:
        for name in ("hidden_size", "num_features"):
            if self.fields.get(name):
                return self.fields[name]
        if self.fields.get("hidden_sizes"):
            return self.fields["hidden_sizes"][-1]
        raise ValueError(f"The configuration of {self.kind} does not say how wide its embedding is: choose another.")

    @property
    def num_channels(self) -> int:
        return self.fields.get("num_channels") or 3

    @property
    def image_size(self) -> tuple[int, int] | None:
        size = self.fields.get("image_size")
        return (size, size) if isinstance(size, int) else size and tuple(size[:2])

    @property
    def patch_size(self) -> int:
        size = self.fields.get("patch_size") or 1
        return size if isinstance(size, int) else 1

    @property
    def stride(self) -> int:
        return self.patch_size * 2 ** (len(self.fields.get("depths") or [0]) - 1)

    @property
    def code(self) -> str:
        return "outputs.pooler_output.flatten(1)"

    def build(self, *, mask_token: bool = False, drop_path: float = 0.0) -> PreTrainedModel:
        network = super().build(mask_token=mask_token, drop_path=drop_path)
        if network.main_input_name != "pixel_values":
            raise ValueError(f"A {self.kind} model reads {network.main_input_name}, no images.")
        return network


class WrapperEncoder(HasInside):
    """
    A model whose `forward` gives the embedding of the encoder inside of it, as the models of this package do.

    Args:
        config (`PreTrainedConfig`): with a `backbone_config`.
        inside (`Encoder`): the adapter of that.
    """

    def __init__(self, config: PreTrainedConfig, inside: Encoder):
        super().__init__(config)
        self.inside = inside
        self.modality = inside.modality

    def fit(self, sample: torch.Tensor) -> torch.Tensor:
        return self.inside.fit(sample)

    @property
    def width(self) -> int:
        return self.inside.width

    @property
    def poolings(self) -> tuple[str | None, ...]:
        return self.inside.poolings

    def usual_size(self, short_side: int) -> int:
        """See `ImageEncoder.usual_size`."""
        return self.inside.usual_size(short_side)

    def embed(
        self, network: PreTrainedModel, inputs: torch.Tensor, pooling: str | None = None, **kwargs: Any
    ) -> BaseModelOutputWithPooling:
        outputs = network(inputs, **kwargs)
        outputs["pooler_output"] = self.pool(outputs)
        return outputs
