"""BEiT (arXiv:2106.08254) and data2vec-vision (arXiv:2202.03555): positions as a bias of the attention."""

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from .plain_transformer import TOKENS, PlainTransformerEncoder


class _BiasedAttention(PlainTransformerEncoder):
    """Positions of any size are made natively, from biases or from a table."""

    takes_interpolation = True
    can_mask = True

    @property
    def position_name(self) -> str | None:
        return "embeddings.position_embeddings" if self.config.use_absolute_position_embeddings else None

    @property
    def hidden(self) -> str:
        tokens = TOKENS.format(prefix="CLS first")
        return tokens.replace("after the final norm", "of the last layer") if self.config.use_mean_pooling else tokens

    def with_mask_token(self) -> tuple[PreTrainedConfig, dict[str, Any]]:
        return type(self.config).from_dict(self.config.to_dict() | {"use_mask_token": True}), {}


class BeitEncoder(_BiasedAttention):
    """The embedding is the norm of the mean patch, or CLS, as `use_mean_pooling` of the configuration says."""

    model_types = ("beit",)

    @property
    def pooled(self) -> str:
        mean = self.config.use_mean_pooling
        return "the final norm of the mean of the patch tokens" if mean else "the CLS token after the final norm"

    def embeddings(
        self, network: PreTrainedModel, inputs: torch.Tensor, mask: torch.BoolTensor | None
    ) -> torch.Tensor:
        return network.embeddings(inputs, bool_masked_pos=mask)

    def final_norm(self, network: PreTrainedModel) -> nn.Module:
        """With mean pooling the norm is in the pooler, and `layernorm` is the identity."""
        return network.pooler.layernorm if self.config.use_mean_pooling else network.layernorm

    def context(self, network: PreTrainedModel, inputs: torch.Tensor, keep: torch.LongTensor | None) -> dict[str, Any]:
        grid = self.grid(tuple(inputs.shape[-2:]))
        kept = None if keep is None else self.kept(keep)
        shared = network.shared_position_bias
        bias = None if shared is None else bias_of(shared(grid), kept)
        if kept is not None:  # the layers' own biases have to be of the kept patches, too
            return {"bias": bias, "grid": grid, "kept": kept}
        return {"attention_mask": bias, "resolution": tuple(inputs.shape[-2:])}

    def run_layer(self, layer: nn.Module, tokens: torch.Tensor, **context: Any) -> torch.Tensor:
        if "kept" not in context:
            return layer(tokens, **context)
        bias, grid, kept = (context.pop(name) for name in ("bias", "grid", "kept"))
        if layer.relative_position_bias is None:
            return layer(tokens, attention_mask=bias, **context)
        own = bias_of(layer.relative_position_bias(grid), kept)
        # The native layer makes the bias of all patches itself, so that this is its forward pass.
        attended, _ = layer.attention(
            layer.layernorm_before(tokens), attention_mask=own if bias is None else own + bias, **context
        )
        tokens = layer.drop_path(layer.lambda_1 * layer.dropout(attended)) + tokens
        return layer.drop_path(layer.lambda_2 * layer.dropout(layer.mlp(layer.layernorm_after(tokens)))) + tokens


class Data2VecVisionEncoder(_BiasedAttention):
    """The native model has no pooler by default: the embedding is the mean of all tokens."""

    model_types = ("data2vec-vision",)
    lora_targets = ("query", "key", "value")
    layers_name = "encoder.layer"
    pooled = "the mean of all tokens of the last layer"
    code = "outputs.last_hidden_state.mean(1)"

    def embeddings(
        self, network: PreTrainedModel, inputs: torch.Tensor, mask: torch.BoolTensor | None
    ) -> torch.Tensor:
        return network.embeddings(inputs, bool_masked_pos=mask)[0]

    def context(self, network: PreTrainedModel, inputs: torch.Tensor, keep: torch.LongTensor | None) -> dict[str, Any]:
        if keep is not None and self.config.use_relative_position_bias:
            raise ValueError(
                "Every layer of this data2vec-vision has a bias of its own for the positions of all patches, so that "
                "none can be left out: mask them, or choose a ViT, or a BEiT."
            )
        kept = None if keep is None else self.kept(keep)
        bias = None
        if self.config.use_shared_relative_position_bias:
            bias = bias_of(network.encoder.relative_position_bias(self.grid(tuple(inputs.shape[-2:]))), kept)
        return {"relative_position_bias": bias, "resolution": tuple(inputs.shape[-2:])}

    def run_layer(self, layer: nn.Module, tokens: torch.Tensor, **context: Any) -> torch.Tensor:
        return layer(tokens, **context)[0]


def bias_of(bias: torch.Tensor, kept: torch.LongTensor | None) -> torch.Tensor:
    """Of a bias (1, heads, tokens, tokens), that between the kept tokens (batch, visible) of each image."""
    if kept is None:
        return bias
    heads, visible = bias.shape[1], kept.shape[1]
    rows = bias.expand(len(kept), -1, -1, -1).gather(2, kept[:, None, :, None].expand(-1, heads, -1, bias.shape[-1]))
    return rows.gather(3, kept[:, None, None, :].expand(-1, heads, visible, -1))
