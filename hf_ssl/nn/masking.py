"""An encoder pass over the visible patches only."""

import torch
from torch import nn


def encode_tokens(
    vit: nn.Module, pixel_values: torch.Tensor, visible_patches: torch.LongTensor | None = None, **kwargs
) -> torch.Tensor:
    """
    Run a native `ViTModel` up to, but without, its final norm; masked patches never enter the layers.

    The only place that reaches inside a native encoder.

    Args:
        pixel_values (`torch.Tensor` of shape `(batch, channels, height, width)`)
        visible_patches (`torch.LongTensor` of shape `(batch, visible)`, *optional*): see `visible_indices`; the others
            are left out.

    Returns:
        `torch.Tensor` of shape `(batch, 1 + visible, hidden)`: CLS, then the visible patches in image order.
    """
    resized = tuple(pixel_values.shape[-2:]) != tuple(vit.embeddings.image_size)
    tokens = vit.embeddings(pixel_values, interpolate_pos_encoding=resized)
    if visible_patches is not None:
        cls = torch.zeros_like(visible_patches[:, :1])
        keep = torch.cat([cls, visible_patches + 1], dim=1)[..., None].expand(-1, -1, tokens.shape[-1])
        tokens = tokens.gather(1, keep)
    for layer in vit.layers:
        tokens = layer(tokens, None, **kwargs)
    return tokens
