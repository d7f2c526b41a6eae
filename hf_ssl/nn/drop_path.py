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
