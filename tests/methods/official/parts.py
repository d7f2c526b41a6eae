"""What the networks of several methods are put together from."""

import torch
from torch import nn


def mlp(*sizes, norm=False, hidden_bias=True, last_bias=True, last_norm=None, act=nn.ReLU):
    layers = []
    for a, b in zip(sizes[:-2], sizes[1:-1], strict=True):
        layers += [nn.Linear(a, b, bias=hidden_bias), *([nn.BatchNorm1d(b)] if norm else []), act()]
    return nn.Sequential(*layers, nn.Linear(*sizes[-2:], bias=last_bias), *([last_norm] if last_norm else []))


def tree(**modules) -> nn.Module:
    """A module with these children."""
    root = nn.Module()
    for name, module in modules.items():
        root.add_module(name, module)
    return root


def drawn(module: nn.Module, seed: int) -> nn.Module:
    """Every parameter and buffer away from its initial value, so that each of them counts."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            elif tensor.is_floating_point():
                fan = tensor[0].numel() if tensor.dim() > 1 else 25
                center = float(tensor.dim() == 1 and name.endswith("weight"))
                tensor.copy_(center + torch.randn(tensor.shape, generator=generator) / fan**0.5)
    return module.eval()


def prefixed(prefix: str, module: nn.Module) -> dict:
    return {prefix + name: tensor.clone() for name, tensor in module.state_dict().items()}
