"""What the processes of a run tell each other besides tensors."""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist

from ..nn.distributed import is_distributed, rank, world_size


class Agreement:
    """
    Collectives of plain values, over the CPUs, so that no device waits for them. Every process must take part; in a
    single process all are the identity.
    """

    def __init__(self):
        self._group = dist.new_group(backend="gloo") if is_distributed() else None

    def largest(self, *numbers: int) -> list[int]:
        """The largest of each number in any process."""
        if self._group is None:
            return list(numbers)
        largest = torch.tensor(numbers)
        dist.all_reduce(largest, dist.ReduceOp.MAX, group=self._group)
        return largest.tolist()

    def first_failure(self, action: Callable[[], None], kinds: tuple[type[Exception], ...]) -> Exception | None:
        """Do `action` in every process, and when all are done give the exception of one where it failed, if any."""
        failure = None
        try:
            action()
        except kinds as error:
            failure = error
        if self._group is None:
            return failure
        texts = [None] * world_size()
        dist.all_gather_object(texts, None if failure is None else str(failure), group=self._group)
        text = next((text for text in texts if text is not None), None)
        return failure if failure is not None or text is None else OSError(text)

    def by_first(self, function: Callable[[], Any]) -> Any:
        """What `function()` gives, or raises as `ValueError` or `OSError`, in the first process, in all of them."""
        if self._group is None:
            return function()
        outcome = [None, None]
        if rank() == 0:
            try:
                outcome[0] = function()
            except (ValueError, OSError) as error:
                outcome[1] = error
        dist.broadcast_object_list(outcome, 0, group=self._group, device=torch.device("cpu"))
        if outcome[1] is not None:
            raise outcome[1]
        return outcome[0]
