"""Stochastic depth (arXiv:1603.09382) for native encoders whose configuration has none."""

import torch
from torch import nn


class DropPath(nn.Module):
    """In training, zero whole samples of shape (B, ...) with `probability` and scale the others to keep the mean."""

    def __init__(self, probability: float):
        super().__init__()
        self.probability = probability

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.probability == 0.0:
            return x
        keep = x.new_empty(x.shape[0], *[1] * (x.dim() - 1)).bernoulli_(1.0 - self.probability)
        return x * keep / (1.0 - self.probability)


def add_drop_path(vit: nn.Module, rate: float) -> None:
    """
    Give a `ViTModel` stochastic depth, from 0 at the first layer to `rate` at the last (linear, as DINO and MAE do).

    It sits behind each residual branch's last linear layer, through hooks, so that no parameter name changes.
    """
    depth = len(vit.layers)
    for i, layer in enumerate(vit.layers):
        drop = DropPath(rate * i / max(depth - 1, 1))
        for branch_end in (layer.attention.o_proj, layer.mlp.fc2):
            branch_end.add_module("drop_path", drop)
            branch_end.register_forward_hook(_apply_drop_path)


def _apply_drop_path(module: nn.Module, args: tuple, output: torch.Tensor) -> torch.Tensor:
    return module.drop_path(output)
