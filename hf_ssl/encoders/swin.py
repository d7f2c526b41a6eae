"""Stages of tokens: Swin (arXiv:2103.14030) and Swin v2, FocalNet (arXiv:2203.11926), Hiera (arXiv:2306.00989)."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from .hierarchical import StageEncoder
from .images import ImageEncoder


class _TokenStages(StageEncoder):
    can_mask = True
    pads = False
    image_size = ImageEncoder.image_size
    patch_size = ImageEncoder.patch_size
    pooled = "the mean of the last stage's tokens, after the final norm"
    hidden = "these tokens, shape (batch, tokens, dim), row by row"
    code = "outputs.pooler_output"
    norm_name = "layernorm"

    @property
    def width(self) -> int:
        return self.level_widths()[-1]

    @property
    def stride(self) -> int:
        return self.patch_size * 2 ** (len(self.config.depths) - 1)

    def level_widths(self) -> list[int]:
        return [self.config.embed_dim * 2**i for i in range(len(self.config.depths))]

    def with_mask_token(self) -> tuple[PreTrainedConfig, dict[str, Any]]:
        return self.config, {"use_mask_token": True}

    def maps(
        self, network: PreTrainedModel, inputs: torch.Tensor, mask: torch.BoolTensor | None, all_stages: bool
    ) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        tokens, grid = network.embeddings(inputs, bool_masked_pos=mask, **self.arguments(inputs))
        # What these models call the output of a stage has already been merged for the next one.
        both = {"output_hidden_states": True, "output_hidden_states_before_downsampling": True}
        outputs = network.encoder(tokens, grid, **both)
        maps = outputs.reshaped_hidden_states
        return self.normed(network, maps[-1]), maps

    def export(self, network: PreTrainedModel, pooling: str | None = None):
        config, state = super().export(network, pooling)
        state.pop(self.mask_token_name, None)  # an argument of the constructor, which `AutoModel` does not give
        return config, state


class SwinEncoder(_TokenStages):
    """
    Every stage cuts its map into windows. The first image whose map is no larger than a window changes the windows of
    that stage for good, so that views of several sizes may change each other's embeddings: `probe` finds out.
    """

    model_types = ("swin", "swinv2")
    takes_interpolation = True
    fixed_size = True

    @property
    def lora_targets(self) -> tuple[str, ...]:
        return ("query", "key", "value") if self.config.model_type == "swinv2" else ("q_proj", "k_proj", "v_proj")

    def sizes_near(self, size: int) -> list[int]:
        """Those at which every stage is cut into whole windows."""
        window = self.stride * self.config.window_size
        below = max(size // window, 1) * window
        return [side for side in dict.fromkeys([below, below + window, *super().sizes_near(size)]) if side != size]


class FocalNetEncoder(_TokenStages):
    model_types = ("focalnet",)

    def maps(
        self, network: PreTrainedModel, inputs: torch.Tensor, mask: torch.BoolTensor | None, all_stages: bool
    ) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        tokens, grid = network.embeddings(inputs, bool_masked_pos=mask)
        maps = []
        for stage in network.encoder.stages:
            tokens, unmerged, after = stage(tokens, grid)
            maps.append(unmerged.transpose(1, 2).unflatten(2, grid))
            grid = tuple(after[-2:])
        return self.normed(network, maps[-1]), maps


class HieraEncoder(_TokenStages):
    """Tokens are pooled in units of masking, which have to be whole; positions are of one size."""

    model_types = ("hiera",)
    can_mask = False
    takes_interpolation = True
    fixed_size = True
    lora_targets = ("qkv", "proj")
    pooled = "the final norm of the mean of the last stage's tokens"

    @property
    def patch_size(self) -> int:
        return self.config.patch_stride[0]

    @property
    def stride(self) -> int:
        return self.patch_size * self.config.query_stride[0] ** self.config.num_query_pool

    def level_widths(self) -> list[int]:
        return [
            int(self.config.embed_dim * self.config.embed_dim_multiplier**i) for i in range(len(self.config.depths))
        ]

    def with_mask_token(self) -> tuple[PreTrainedConfig, dict[str, Any]]:
        return ImageEncoder.with_mask_token(self)

    def feature_levels(self, levels: Sequence[int] | None = None) -> tuple[list[int], list[int]]:
        return ImageEncoder.level_widths(self)

    def maps(
        self, network: PreTrainedModel, inputs: torch.Tensor, mask: torch.BoolTensor | None, all_stages: bool
    ) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        tokens, grid = network(inputs, **self.arguments(inputs)).last_hidden_state, self.grid(tuple(inputs.shape[-2:]))
        if tokens.shape[1] != prod(grid):
            raise ValueError("The last stage of this Hiera keeps its units of masking apart: set num_query_pool to 3.")
        last = tokens.transpose(1, 2).unflatten(2, grid)
        return last, (last,)
