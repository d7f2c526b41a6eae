"""Momentum teachers and targets (Mean Teacher, arXiv:1703.01780): a frozen copy of a network, and moving averages."""

import copy

import torch
from torch import nn
from transformers import initialization as init


class NetworkCopy(nn.Module):
    """
    A deep copy of some of a model's modules, under the same names, so that parameter `x.y` of the copy is the
    counterpart of parameter `x.y` of the model.

    Args:
        modules (`nn.Module`): keyword arguments, copied as they are.
    """

    def __init__(self, **modules: nn.Module):
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, copy.deepcopy(module))

    def start_from(self, model: nn.Module) -> None:
        """Set every tensor that no checkpoint filled to the tensor of the same name in `model`."""
        for name, tensor in self.state_dict(keep_vars=True).items():
            init.copy_(
                tensor, model.get_parameter(name) if isinstance(tensor, nn.Parameter) else model.get_buffer(name)
            )


def start_copies(model: nn.Module) -> None:
    """Let every copy among the children of `model` start from it."""
    for child in model.children():
        if isinstance(child, NetworkCopy):
            child.start_from(model)


@torch.no_grad()
def ema_(average: nn.Module, model: nn.Module, momentum: float) -> None:
    """
    `average = momentum * average + (1 - momentum) * model` over all parameters, in place and in one fused call.

    Buffers (BatchNorm statistics) are not averaged: the official DINO and MoCo code does not either.

    Args:
        momentum (`float`): in [0, 1]; 1 leaves `average` as it is.
    """
    torch._foreach_lerp_(list(average.parameters()), [p.detach() for p in model.parameters()], 1.0 - momentum)


@torch.no_grad()
def copy_buffers_(average: nn.Module, model: nn.Module) -> None:
    """Let the buffers of `average`, such as the statistics of a BatchNorm, be those of `model`, in place."""
    for own, other in zip(average.buffers(), model.buffers(), strict=True):
        own.copy_(other)
