"""What a Trainer asks a model, and when: batch sizes, parameter groups, a first look at the data, the steps."""

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import nn

from .nn.parameter_groups import OptimizerArguments, grouped


class TrainingData(Protocol):
    """
    The data of a run, as [`TrainingHooks.prepare`] sees them.

    Args:
        num_samples (`int`): images, in all processes together; `None` for a stream.
    """

    num_samples: int | None

    def batches(self) -> Iterator[dict[str, torch.Tensor]]:
        """One pass, in order, over this process's share of the data, as arguments of `forward`."""
        ...


class TrainingHooks(nn.Module):
    """
    The part of [`SSLPreTrainedModel`] that only training calls. Everything here may be overridden, and by default does
    nothing out of the ordinary.
    """

    min_batch_size: int = 1  # fewest images of a training step: more than 1 where one depends on the others
    min_eval_batch_size: int | None = None  # the same in evaluation, where it is another number
    # Above 0: a batch to train on is made of groups, a labelled image first and then so many without a label (-1).
    unlabelled_per_label: int = 0

    @classmethod
    def smallest_eval_batch(cls) -> int:
        """Fewest images that have a loss in evaluation; more than 1 where the loss compares images."""
        return cls.min_batch_size if cls.min_eval_batch_size is None else cls.min_eval_batch_size

    def parameter_groups(self, args: OptimizerArguments) -> list[dict[str, Any]]:
        """
        How each parameter is trained: the groups of [`grouped`], under the treatments that the method asks for. A user
        who gives the Trainer an optimizer has groups of their own instead.

        Args:
            args (`SSLTrainingArguments`)
        """
        return grouped(self.named_parameters(), args)

    def size_for(self, num_samples: int) -> None:
        """
        Called first whenever the model meets data to train on, also when a run is resumed: make room for what is kept
        of each of `num_samples` images, empty, or refuse so few. Data without a length never come here.
        """

    def prepare(self, data: TrainingData) -> None:
        """
        Called once, before the first step of a new run, when the model is on its device: what the method takes from
        the data before it learns, such as a vocabulary, goes into persistent buffers, in place, or into the config. A
        run that is resumed has it from there.
        """

    def on_epoch_begin(self, epoch: int) -> None:
        """Called before each epoch (from 0), and again when resuming inside one."""

    # Pure functions of (step, total_steps): resuming needs no extra state.
    def on_step_begin(self, step: int, total_steps: int) -> None: ...
    def before_optimizer_step(self, step: int, total_steps: int) -> None: ...
    def after_optimizer_step(self, step: int, total_steps: int) -> None: ...
