"""What several processes must have in common, before and while they train together."""

from collections.abc import Mapping, Sequence, Sized
from typing import Any

import torch
import torch.distributed as dist

from ..modeling_utils import SSLPreTrainedModel
from ..nn.batch_norm import synchronise_batch_norm_
from ..nn.distributed import is_distributed, mean_over_ranks, world_size
from .arguments import SSLTrainingArguments


def join_batches(model: SSLPreTrainedModel, args: SSLTrainingArguments, dataset) -> None:
    """
    Prepare a model for batches that are spread over the processes of `args`.

    Raises:
        ValueError: in every process, where the processes hold different numbers of images.
    """
    if args.world_size == 1:
        return
    if args.sync_batch_norm:
        synchronise_batch_norm_(model, args.device, model.local_batch_norm)
    require_same("number of images", len(dataset) if isinstance(dataset, Sized) else None)


def require_same(what: str, value: Any) -> None:
    """
    Raises:
        ValueError: in every process, where `value` is not the same in all.
    """
    if not is_distributed():
        return
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    if any(other != value for other in values):
        raise ValueError(
            f"The processes do not see the same {what} ({', '.join(map(str, values))}): have the same images and the "
            "same output folder on all machines."
        )


def mean_logs(values: Mapping[str, Sequence[torch.Tensor]]) -> dict[str, float]:
    """Means over the steps and the processes, by name; every process holds the same names."""
    if not values:
        return {}
    means = mean_over_ranks(torch.stack([torch.stack(list(of_steps)).float().mean() for of_steps in values.values()]))
    return dict(zip(values, means.tolist(), strict=True))


def leave_the_others() -> None:
    """From here on this process works by itself: it waits for no other, and none waits for it."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
