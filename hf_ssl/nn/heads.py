"""Heads between the embedding and the objective."""

import torch
import torch.nn.functional as F
from torch import nn


class MLPHead(nn.Sequential):
    """
    Linear layers with BatchNorm and ReLU between them.

    Args:
        sizes (`list[int]`): widths, input first, e.g. `[384, 2048, 128]`.
        last_batch_norm (`bool`): BatchNorm without a learnt offset after the last layer too (SimCLR's official code).
    """

    def __init__(self, sizes: list[int], last_batch_norm: bool = False):
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
            last = i == len(sizes) - 2
            normalised = last_batch_norm if last else True
            layers.append(nn.Linear(before, after, bias=last and not normalised))
            if normalised:
                layers.append(nn.BatchNorm1d(after))
            if not last:
                layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


class PrototypeHead(nn.Module):
    """
    DINO's head (arXiv:2104.14294, appendix C): an MLP with GELU to a bottleneck, L2 normalisation, and a linear layer
    without bias whose rows have unit norm.

    Args:
        sizes (`list[int]`): widths of the MLP, input first and bottleneck last, e.g. `[384, 2048, 2048, 256]`.
        num_prototypes (`int`): outputs K.
        norm_last_layer (`bool`): keep the norm of the prototypes at 1; otherwise each has a learnt norm.
        batch_norm (`bool`): BatchNorm before each GELU.
    """

    def __init__(self, sizes: list[int], num_prototypes: int, norm_last_layer: bool = True, batch_norm: bool = False):
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip(sizes[:-2], sizes[1:-1], strict=True):
            norm = [nn.BatchNorm1d(after)] if batch_norm else []
            layers += [nn.Linear(before, after), *norm, nn.GELU()]
        self.mlp = nn.Sequential(*layers, nn.Linear(*sizes[-2:]))
        # A plain matrix normalised in forward: weight_norm parametrisations do not survive `from_pretrained`.
        self.prototypes = nn.Linear(sizes[-1], num_prototypes, bias=False)
        self.norms = None if norm_last_layer else nn.Parameter(torch.ones(num_prototypes, 1))

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Map embeddings of shape (N, D) to logits of shape (N, K)."""
        z = F.normalize(self.mlp(embeddings), dim=-1)
        weight = F.normalize(self.prototypes.weight, dim=-1)
        return F.linear(z, weight if self.norms is None else weight * self.norms)
