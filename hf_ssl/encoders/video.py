"""VideoMAE (arXiv:2203.12602): a ViT over tubelets, blocks of a few frames and pixels each."""

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig

from .plain_transformer import PlainTransformerEncoder


class VideoMAEEncoder(PlainTransformerEncoder):
    """
    An encoder of `pixel_values` (batch, frames, channels, height, width), of one number of frames and one size.

    There is no CLS token and no pooler. The network is built with its final norm, which the native configuration
    leaves out by default (`use_mean_pooling`): that is for fine-tuning, with another norm behind the mean.
    """

    model_types = ("videomae",)
    modality = "video"
    num_prefix = 0
    fixed_size = True
    lora_targets = ("query", "key", "value", "dense")
    layers_name = "encoder.layer"
    branch_ends = ("attention.output.dense", "output.dense")
    pooled = "the mean of all tubelets after the final norm"
    hidden = "all tubelets after the final norm, shape (batch, tubelets, dim): time, then rows, then columns"
    code = "outputs.last_hidden_state.mean(1)"

    def __init__(self, config: PreTrainedConfig):
        self.native_config = config
        if config.use_mean_pooling:
            config = type(config).from_dict(config.to_dict() | {"use_mean_pooling": False})
        super().__init__(config)

    def to_load(self) -> PreTrainedConfig:
        """As it was published: a fine-tuned encoder has no final norm."""
        return self.native_config

    @property
    def num_frames(self) -> int:
        """Frames of the clips that the network takes."""
        return self.config.num_frames

    def grid(self, size: int | tuple[int, int]) -> tuple[int, int, int]:
        """Tubelets along time, rows and columns, for frames of `size` (height, width)."""
        return self.num_frames // self.config.tubelet_size, *super().grid(size)

    def embeddings(self, network: nn.Module, inputs: torch.Tensor, mask: torch.BoolTensor | None) -> torch.Tensor:
        return network.embeddings(inputs, None)

    def run_layer(self, layer: nn.Module, tokens: torch.Tensor, **context: Any) -> torch.Tensor:
        return layer(tokens, **context)

    def require_inputs(self, inputs: torch.Tensor) -> None:
        shape = (self.num_frames, self.num_channels, *self.image_size)
        if inputs.ndim != 5 or tuple(inputs.shape[1:]) != shape:
            raise ValueError(
                f"The encoder takes pixel_values of shape (batch, {', '.join(map(str, shape))}), that is clips of "
                f"{shape[0]} frames, got {tuple(inputs.shape)}: set num_frames and crop_size of the processor."
            )

    def fit(self, sample: torch.Tensor) -> torch.Tensor:
        """Of a clip (frames, channels, height, width) as many frames as the encoder takes, evenly spread."""
        place = (torch.arange(self.num_frames) + 0.5) * len(sample) / self.num_frames
        return sample[place.long()]

    def example(self, size: int, batch: int = 2) -> torch.Tensor:
        generator = torch.Generator().manual_seed(size)
        return torch.randn(batch, self.num_frames, self.num_channels, size, size, generator=generator)

    def sizes_near(self, size: int) -> list[int]:
        return [self.image_size[0]] if size != self.image_size[0] else []
