"""What an objective is, and the sum of several."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import nn

from .passes import Pass, Passes


class Objective(Protocol):
    """
    A loss on the tokens of some passes.

    Attributes:
        reads (`tuple[Pass, ...]`): the passes.
    """

    reads: tuple[Pass, ...]

    def __call__(
        self, model: nn.Module, passes: Passes, batch: Mapping[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """
        The loss, a scalar, and scalars to log; `model` has the heads, `batch` the arguments of its `forward`. One of
        the logs may be `uniform_loss`, what a student that knows nothing gives.
        """
        ...


def add_up(
    objectives: Mapping[str, Objective],
    weights: Mapping[str, float],
    model: nn.Module,
    passes: Passes,
    batch: Mapping[str, torch.Tensor],
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """
    Weighted sum of objectives.

    Args:
        objectives (`dict`): by name.
        weights (`dict`): of the same names.
        model (`nn.Module`): with the heads.
        passes (`Passes`): of this step. Those of the teacher run first, while no activations are kept.
        batch (`dict`): arguments of `forward`.

    Returns:
        The sum; and everything that is logged, `NAME_loss` for the objectives themselves and `uniform_loss` as a
        weighted sum too, other scalars with the name of the objective before them.
    """
    reads = [which for objective in objectives.values() for which in objective.reads]
    for which in sorted(reads, key=lambda which: not which.teacher):
        passes(which)
    total, uniform, logs = torch.zeros(()), torch.zeros(()), {}
    for name, objective in objectives.items():
        loss, scalars = objective(model, passes, batch)
        total = total.to(loss.device) + weights[name] * loss
        if "uniform_loss" in scalars:
            uniform = uniform.to(loss.device) + weights[name] * scalars.pop("uniform_loss")
        logs[f"{name}_loss"] = loss.detach()
        logs |= {f"{name}_{scalar}": value for scalar, value in scalars.items()}
    return total, logs | {"uniform_loss": uniform}
