"""Decoders that fill in what the encoder did not see."""

import torch
from torch import nn
from transformers import PreTrainedConfig, ViTConfig
from transformers import initialization as init
from transformers.models.vit.modeling_vit import ViTLayer

from .window_attention import WindowLayer


class MaskedPatchDecoder(nn.Module):
    """
    MAE's decoder (arXiv:2111.06377, section 3): mask tokens at the hidden places, fixed sine-cosine positions, a few
    transformer layers, and one linear layer to the values of a patch.

    Args:
        config (`PreTrainedConfig`): of the method: `decoder_hidden_size`, `decoder_num_hidden_layers`,
            `decoder_num_attention_heads` and `decoder_intermediate_size`, and the encoder's `backbone_config`.
        num_patches (`int`): of a whole sample, seen and hidden.
        output_size (`int`): values of a patch.
        special_tokens (`int`, *optional*, defaults to 1): tokens that stand for no patch, before the others.
        input_bias (`bool`, *optional*, defaults to `True`): of the linear layer from the encoder's width.
        layers (`nn.ModuleList`, *optional*): each called with tokens `(batch, special_tokens + patches, hidden)` and
            None, see `window_layers`; by default those of a ViT, every token with every other.
    """

    def __init__(
        self,
        config: PreTrainedConfig,
        num_patches: int,
        output_size: int,
        special_tokens: int = 1,
        input_bias: bool = True,
        layers: nn.ModuleList | None = None,
    ):
        super().__init__()
        encoder, size = config.backbone_config, config.decoder_hidden_size
        self.num_patches, self.special_tokens = num_patches, special_tokens
        self.embed = nn.Linear(encoder.hidden_size, size, bias=input_bias)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, size))
        self.position_embeddings = nn.Parameter(
            torch.zeros(1, special_tokens + num_patches, size), requires_grad=False
        )
        self.layers = _vit_layers(config) if layers is None else layers
        self.layernorm = nn.LayerNorm(size, eps=encoder.layer_norm_eps)
        self.predict = nn.Linear(size, output_size)

    def set_positions(self, positions: torch.Tensor) -> None:
        """Fill the fixed positions (1, special_tokens + patches, hidden) unless a checkpoint did, and freeze them."""
        init.copy_(self.position_embeddings, positions)
        self.position_embeddings.requires_grad_(False)

    def forward(self, tokens: torch.Tensor, visible_patches: torch.Tensor) -> torch.Tensor:
        """
        Args:
            tokens (`torch.Tensor` of shape `(batch, special_tokens + visible, input_size)`): of the encoder.
            visible_patches (`torch.LongTensor` of shape `(batch, visible)`): which patches the last of them are.

        Returns:
            `torch.Tensor` of shape `(batch, patches, output_size)`: a prediction for every patch.
        """
        x = self.embed(tokens)
        special, seen = x[:, : self.special_tokens], x[:, self.special_tokens :]
        places = visible_patches[..., None].expand(-1, -1, x.shape[-1])
        canvas = self.mask_token.to(x.dtype).expand(len(x), self.num_patches, -1).scatter(1, places, seen)
        x = torch.cat([special, canvas], dim=1) + self.position_embeddings
        for layer in self.layers:
            x = layer(x, None)
        return self.predict(self.layernorm(x))[:, self.special_tokens :]


def window_layers(
    config: PreTrainedConfig, grid: tuple[int, int], window: tuple[int, int], shift: tuple[int, int]
) -> nn.ModuleList:
    """Layers within local windows, which every second one moves by `shift` (rows, columns); see [`WindowLayer`]."""
    size, heads = config.decoder_hidden_size, config.decoder_num_attention_heads
    rest = size, heads, config.decoder_intermediate_size, config.backbone_config.layer_norm_eps
    shifts = [shift if i % 2 else (0, 0) for i in range(config.decoder_num_hidden_layers)]
    return nn.ModuleList([WindowLayer(grid, window, shift, *rest) for shift in shifts])


def _vit_layers(config: PreTrainedConfig) -> nn.ModuleList:
    """Of the decoder's widths; eps and attention implementation are the encoder's."""
    encoder = config.backbone_config
    vit = ViTConfig(
        hidden_size=config.decoder_hidden_size,
        num_attention_heads=config.decoder_num_attention_heads,
        intermediate_size=config.decoder_intermediate_size,
        layer_norm_eps=encoder.layer_norm_eps,
        attn_implementation=encoder._attn_implementation or "sdpa",
    )
    return nn.ModuleList([ViTLayer(vit) for _ in range(config.decoder_num_hidden_layers)])
