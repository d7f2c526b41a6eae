"""Transformers whose layers all see the same tokens: patches go in, and may be left out or masked before."""

from typing import Any, ClassVar

import torch
from torch import nn
from transformers import PreTrainedModel

from ..nn.drop_path import DropPath
from .images import ImageEncoder
from .outputs import Tokens, Wanted

TOKENS = "all tokens after the final norm, shape (batch, tokens, dim): {prefix}, patches last, row by row"


class PlainTransformerEncoder(ImageEncoder):
    """
    A family says where layers and norm are, what a layer is given beside the tokens, and which linear layers end its
    two residual branches.
    """

    num_prefix = 1
    can_drop = True
    lora_targets = ("q_proj", "k_proj", "v_proj", "o_proj")
    branch_ends: ClassVar[tuple[str, ...]] = ()  # of a layer; where the native layers have no stochastic depth
    layers_name: ClassVar[str] = "layers"
    norm_name: ClassVar[str] = "layernorm"
    patches_name: ClassVar[str] = "embeddings.patch_embeddings.projection"

    def layers(self, network: PreTrainedModel) -> nn.ModuleList:
        return network.get_submodule(self.layers_name)

    def final_norm(self, network: PreTrainedModel) -> nn.Module:
        return network.get_submodule(self.norm_name)

    def embeddings(
        self, network: PreTrainedModel, inputs: torch.Tensor, mask: torch.BoolTensor | None
    ) -> torch.Tensor:
        """All tokens as they enter the first layer, of shape `(batch, prefix + patches, width)`."""
        return network.embeddings(inputs, bool_masked_pos=mask, interpolate_pos_encoding=self.is_other_size(inputs))

    def context(self, network: PreTrainedModel, inputs: torch.Tensor, keep: torch.LongTensor | None) -> dict[str, Any]:
        """Arguments of every layer beside the tokens, such as positions; of the kept patches only."""
        return {}

    def run_layer(self, layer: nn.Module, tokens: torch.Tensor, **context: Any) -> torch.Tensor:
        return layer(tokens, None, **context)

    def patch_weight(self, network: PreTrainedModel) -> nn.Parameter:
        """The convolution that embeds the patches, of shape `(width, channels, patch, patch)`."""
        return network.get_parameter(f"{self.patches_name}.weight")

    def positions(self, network: PreTrainedModel) -> nn.Parameter | None:
        """Learnt absolute positions of all tokens, the prefix first; None where the architecture has none."""
        return None if self.position_name is None else network.get_parameter(self.position_name)

    def level_widths(self) -> list[int]:
        return [self.width] * self.config.num_hidden_layers

    def default_levels(self) -> list[int]:
        return [-1 - max(1, self.config.num_hidden_layers // 4), -1]

    def run(
        self,
        network: PreTrainedModel,
        inputs: torch.Tensor,
        keep: torch.LongTensor | None = None,
        mask: torch.BoolTensor | None = None,
        **kwargs: Any,
    ) -> list[torch.Tensor]:
        """
        Tokens before the first layer and after every layer, before the final norm, each of shape
        `(batch, prefix + visible, width)`. Patches that are not kept never enter the layers.
        """
        tokens = self.embeddings(network, inputs, mask)
        if keep is not None:
            tokens = tokens.gather(1, self.kept(keep)[..., None].expand(-1, -1, tokens.shape[-1]))
        context, states = self.context(network, inputs, keep), [tokens]
        for layer in self.layers(network):
            states.append(self.run_layer(layer, states[-1], **context, **kwargs))
        return states

    def kept(self, keep: torch.LongTensor) -> torch.LongTensor:
        """Indices, among all tokens, of the prefix and the kept patches."""
        prefix = torch.arange(self.num_prefix, device=keep.device).expand(len(keep), -1)
        return torch.cat([prefix, keep + self.num_prefix], dim=1)

    def read(self, network: PreTrainedModel, inputs: torch.Tensor, wanted: Wanted) -> Tokens:
        self.require_inputs(inputs)
        if wanted.keep is not None and wanted.levels:
            raise ValueError("There are no feature maps of images of which patches are left out.")
        states, norm = self.run(network, inputs, wanted.keep, wanted.mask), self.final_norm(network)
        grid = self.grid(tuple(inputs.shape[-2:]))
        cells = (states[level][:, self.num_prefix :].unflatten(1, grid) for level in wanted.levels)
        maps = tuple(norm(level).permute(0, 3, 1, 2) for level in cells)
        tokens = norm(states[-1]) if wanted.final_norm else states[-1]
        return Tokens(tokens[:, : self.num_prefix], tokens[:, self.num_prefix :], grid, maps)

    def attention(self, network: PreTrainedModel, inputs: torch.Tensor) -> torch.Tensor:
        """Attention of the last layer, of shape `(batch, heads, tokens, tokens)`; a row adds up to 1."""
        eager = self.new(self.config, attn_implementation="eager")
        eager.to(inputs.dtype).eval().load_state_dict(network.state_dict())
        return self.embed(eager, inputs, output_attentions=True).attentions[-1]

    def add_drop_path(self, network: PreTrainedModel, rate: float) -> None:
        """
        Stochastic depth from 0 at the first layer to `rate` at the last (linear, as DINO and MAE do).

        It sits behind each residual branch's last linear layer, through hooks, so that no parameter name changes.
        """
        layers = self.layers(network)
        for i, layer in enumerate(layers):
            drop = DropPath(rate * i / max(len(layers) - 1, 1))
            for name in self.branch_ends:
                branch_end = layer.get_submodule(name)
                branch_end.add_module("drop_path", drop)
                branch_end.register_forward_hook(_apply_drop_path)

    def shallow(self) -> "PlainTransformerEncoder":
        few = min(2, self.config.num_hidden_layers)
        return type(self)(type(self.config).from_dict(self.config.to_dict() | {"num_hidden_layers": few}))


def _apply_drop_path(module: nn.Module, args: tuple, output: torch.Tensor) -> torch.Tensor:
    return module.drop_path(output)
