"""Decoders that fill in what the encoder did not see."""

import torch
from torch import nn
from transformers import ViTConfig
from transformers import initialization as init
from transformers.models.vit.modeling_vit import ViTLayer

from .masking import sincos_positions


class MaskedPatchDecoder(nn.Module):
    """
    MAE's decoder (arXiv:2111.06377, section 3): mask tokens at the hidden places, fixed sine-cosine positions, a few
    transformer layers, and one linear layer to pixels.

    Args:
        encoder_config (`ViTConfig`): of the encoder; gives the grid of patches and the channels.
        hidden_size, num_hidden_layers, num_attention_heads, intermediate_size (`int`): of the decoder.
    """

    def __init__(
        self,
        encoder_config: ViTConfig,
        hidden_size: int,
        num_hidden_layers: int,
        num_attention_heads: int,
        intermediate_size: int,
    ):
        super().__init__()
        config = ViTConfig(
            hidden_size=hidden_size,
            num_attention_heads=num_attention_heads,
            intermediate_size=intermediate_size,
            layer_norm_eps=encoder_config.layer_norm_eps,
            attn_implementation=encoder_config._attn_implementation or "sdpa",
        )
        self.grid = encoder_config.image_size // encoder_config.patch_size
        self.embed = nn.Linear(encoder_config.hidden_size, hidden_size)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, hidden_size))
        self.position_embeddings = nn.Parameter(torch.zeros(1, 1 + self.grid**2, hidden_size), requires_grad=False)
        self.layers = nn.ModuleList([ViTLayer(config) for _ in range(num_hidden_layers)])
        self.layernorm = nn.LayerNorm(hidden_size, eps=config.layer_norm_eps)
        self.predict = nn.Linear(hidden_size, encoder_config.patch_size**2 * encoder_config.num_channels)

    def reset_positions(self) -> None:
        """Fill the fixed positions, unless a checkpoint did, and freeze them."""
        init.copy_(
            self.position_embeddings, sincos_positions(self.position_embeddings.shape[-1], self.grid, self.grid)
        )
        self.position_embeddings.requires_grad_(False)

    def forward(self, tokens: torch.Tensor, visible_patches: torch.Tensor) -> torch.Tensor:
        """
        Args:
            tokens (`torch.Tensor` of shape `(batch, 1 + visible, encoder_hidden)`): CLS and the visible patches.
            visible_patches (`torch.LongTensor` of shape `(batch, visible)`): where these belong.

        Returns:
            `torch.Tensor` of shape `(batch, patches, patch_pixels)`: a prediction for every patch.
        """
        x = self.embed(tokens)
        places = visible_patches[..., None].expand(-1, -1, x.shape[-1])
        canvas = self.mask_token.to(x.dtype).expand(len(x), self.grid**2, -1)
        x = torch.cat([x[:, :1], canvas.scatter(1, places, x[:, 1:])], dim=1) + self.position_embeddings
        for layer in self.layers:
            x = layer(x, None)
        return self.predict(self.layernorm(x))[:, 1:]
