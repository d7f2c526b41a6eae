"""The first weights of CLIP's encoders, as in the official code; the native classes start from other ones."""

import torch
from torch import nn
from transformers import CLIPTextModel, CLIPVisionModel
from transformers import initialization as init


@torch.no_grad()
def start_image_encoder(encoder: CLIPVisionModel) -> None:
    """Class and positions N(0, 1 / width); patches, attention and MLPs as PyTorch's own layers start."""
    width = encoder.config.hidden_size
    init.normal_(encoder.embeddings.class_embedding, std=width**-0.5)
    init.normal_(encoder.embeddings.position_embedding.weight, std=width**-0.5)
    _uniform(encoder.embeddings.patch_embedding.weight)
    for layer in encoder.encoder.layers:
        attention, mlp = layer.self_attn, layer.mlp
        bound = (1.5 / width) ** 0.5  # Xavier's, of the three matrices as one of shape (3 * width, width)
        for linear in (attention.q_proj, attention.k_proj, attention.v_proj):
            init.uniform_(linear.weight, -bound, bound)
        _uniform(attention.out_proj.weight)
        for linear in (mlp.fc1, mlp.fc2):
            _uniform(linear.weight)
            _uniform(linear.bias, linear.in_features)


@torch.no_grad()
def start_text_encoder(encoder: CLIPTextModel) -> None:
    """Tokens N(0, 0.02²), positions N(0, 0.01²); what ends a residual branch is divided by sqrt(2 * layers)."""
    width, layers = encoder.config.hidden_size, encoder.config.num_hidden_layers
    init.normal_(encoder.embeddings.token_embedding.weight, std=0.02)
    init.normal_(encoder.embeddings.position_embedding.weight, std=0.01)
    last = width**-0.5 * (2 * layers) ** -0.5
    for layer in encoder.encoder.layers:
        attention, mlp = layer.self_attn, layer.mlp
        for linear in (attention.q_proj, attention.k_proj, attention.v_proj):
            init.normal_(linear.weight, std=width**-0.5)
        init.normal_(attention.out_proj.weight, std=last)
        init.normal_(mlp.fc1.weight, std=(2 * width) ** -0.5)
        init.normal_(mlp.fc2.weight, std=last)
        for linear in (mlp.fc1, mlp.fc2):
            _uniform(linear.bias, linear.in_features)


def _uniform(tensor: nn.Parameter, inputs: int | None = None) -> None:
    """U(-b, b) with b = 1 / sqrt(inputs), as `nn.Linear` and `nn.Conv2d` start."""
    bound = (inputs or tensor[0].numel()) ** -0.5
    init.uniform_(tensor, -bound, bound)
