"""Heads between the embedding and the objective."""

import torch
import torch.nn.functional as F
from torch import nn


class MLPHead(nn.Sequential):
    """
    Linear layers with ReLU, and with or without BatchNorm, between them.

    Args:
        sizes (`list[int]`): widths, input first, e.g. `[384, 2048, 128]`.
        batch_norm (`bool`, *optional*, defaults to `True`): after every layer but the last.
        last_batch_norm (`str`, *optional*): after the last layer too: `"affine"`, `"scale"` (a learnt gain but no
            offset: SimCLR's official code), or `"plain"` (nothing learnt: SimSiam).
        hidden_bias (`bool`, *optional*): biases before the hidden BatchNorms, which they do nothing to; by default
            only where there is no BatchNorm. For official state dicts that have them.
        last_bias (`bool`, *optional*): of the last layer; by default where no BatchNorm follows it.
    """

    def __init__(
        self,
        sizes: list[int],
        batch_norm: bool = True,
        last_batch_norm: str | None = None,
        hidden_bias: bool | None = None,
        last_bias: bool | None = None,
    ):
        hidden_bias = not batch_norm if hidden_bias is None else hidden_bias
        last_bias = last_batch_norm is None if last_bias is None else last_bias
        layers: list[nn.Module] = []
        for before, after in zip(sizes[:-2], sizes[1:-1], strict=True):
            layers.append(nn.Linear(before, after, bias=hidden_bias))
            if batch_norm:
                layers.append(nn.BatchNorm1d(after))
            layers.append(nn.ReLU(inplace=True))
        layers.append(nn.Linear(*sizes[-2:], bias=last_bias))
        if last_batch_norm is not None:
            layers.append(nn.BatchNorm1d(sizes[-1], affine=last_batch_norm != "plain"))
        if last_batch_norm == "scale":
            layers[-1].register_parameter("bias", None)
        super().__init__(*layers)


class JigsawHead(nn.Module):
    """
    One projection of the patches of an image (PIRL, arXiv:1912.01991, section 3.3): each patch through the same MLP,
    without BatchNorm, then all, in the order in which they come, through one linear layer.

    Args:
        sizes (`list[int]`): widths of the MLP, input first; the last one is that of the result too.
        num_patches (`int`)
    """

    def __init__(self, sizes: list[int], num_patches: int):
        super().__init__()
        self.patch = MLPHead(sizes, batch_norm=False)
        self.image = nn.Linear(num_patches * sizes[-1], sizes[-1])

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Map embeddings of shape (N, patches, D) to projections of shape (N, K)."""
        return self.image(self.patch(embeddings).flatten(1))


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
        """Map embeddings of shape (..., D) to logits of shape (..., K); a BatchNorm is over all but the last axis."""
        z = F.normalize(self.mlp(embeddings.flatten(0, -2)), dim=-1)
        weight = F.normalize(self.prototypes.weight, dim=-1)
        logits = F.linear(z, weight if self.norms is None else weight * self.norms)
        return logits.unflatten(0, embeddings.shape[:-1])

    def drop_prototype_gradients_(self) -> None:
        """Let the prototypes stay as they are in the next optimizer step."""
        for parameter in (self.prototypes.weight, self.norms):
            if parameter is not None:
                parameter.grad = None
