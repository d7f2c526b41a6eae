"""Run a function in several gloo processes."""

import datetime
import faulthandler
import os
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

DEADLINE = 240  # seconds


def _worker(rank: int, world: int, folder: str, function: Callable, arguments: tuple) -> None:
    faulthandler.dump_traceback_later(DEADLINE, exit=True)  # a deadlock is a failure with a stack, not a lost run
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(world), LOCAL_RANK=str(rank))
    store = dist.FileStore(f"{folder}/rendezvous", world)
    timeout = datetime.timedelta(seconds=DEADLINE / 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world, timeout=timeout)
    torch.save(function(rank, world, *arguments), f"{folder}/{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()
    faulthandler.cancel_dump_traceback_later()


def each(names: Iterable[str], function: Callable[[str], Any]) -> dict[str, Any]:
    """What `function(name)` returns of each name, or what went wrong; all processes go through them side by side."""
    results = {}
    for name in names:
        try:
            results[name] = function(name)
        except Exception as error:
            results[name] = repr(error)
        dist.barrier()
    return results


def in_processes(function: Callable, *arguments: Any, world: int = 2) -> list[Any]:
    """What `function(rank, world, *arguments)`, of a module's top level, returns in each process, in rank order."""
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(_worker, (world, folder, function, arguments), nprocs=world)
        return [torch.load(f"{folder}/{rank}.pt") for rank in range(world)]
