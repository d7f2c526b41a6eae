"""Two gloo processes give the loss and the gradients of one, and the same state on every rank."""

import datetime
import faulthandler
import os
import tempfile

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from hf_ssl.nn.drop_path import DropPath
from hf_ssl.registry import METHODS

from ..conftest import build_model, build_views

DEADLINE = 240  # seconds


def prepare(method):
    model = build_model(method)
    for module in model.modules():  # batch statistics and dropped branches are each process's own
        if isinstance(module, (torch.nn.BatchNorm1d, DropPath)):
            module.eval()
            module.train = lambda mode=True, m=module: m
    return model


def worker(rank, world, folder):
    faulthandler.dump_traceback_later(DEADLINE, exit=True)  # a deadlock is a failure with a stack, not a lost CI run
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(world), LOCAL_RANK=str(rank))
    store = dist.FileStore(f"{folder}/rendezvous", world)
    timeout = datetime.timedelta(seconds=DEADLINE / 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world, timeout=timeout)
    for method in METHODS:
        try:
            model = prepare(method)
            wrapped = torch.nn.parallel.DistributedDataParallel(model)
            share = {k: v.chunk(world)[rank] for k, v in build_views(method, batch=8).items()}
            model.on_step_begin(5, 10)
            loss = wrapped(**share).loss
            loss.backward()
            loss = loss.detach().clone()
            dist.all_reduce(loss)
            model.before_optimizer_step(5, 10)
            model.after_optimizer_step(5, 10)
            gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
            torch.save((loss / world, gradients, dict(model.named_buffers())), f"{folder}/{method}-{rank}.pt")
        except Exception as error:
            torch.save(repr(error), f"{folder}/{method}-{rank}.pt")
        dist.barrier()
    dist.destroy_process_group()
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="module")
def folder_of_two_processes():
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(worker, (2, folder), nprocs=2)
        yield folder


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_equal_one(method, folder_of_two_processes):
    model = prepare(method)
    model.on_step_begin(5, 10)
    loss = model(**build_views(method, batch=8)).loss
    loss.backward()
    model.before_optimizer_step(5, 10)
    model.after_optimizer_step(5, 10)
    ranks = [torch.load(f"{folder_of_two_processes}/{method}-{rank}.pt") for rank in range(2)]
    for other in ranks:
        assert not isinstance(other, str), other
        other_loss, gradients, buffers = other
        torch.testing.assert_close(other_loss, loss.detach(), atol=1e-5, rtol=0)
        assert gradients.keys() == {n for n, p in model.named_parameters() if p.grad is not None}
        for name, gradient in gradients.items():
            expected = model.get_parameter(name).grad
            atol = 1e-5 * max(1.0, expected.abs().max().item())
            torch.testing.assert_close(gradient, expected, atol=atol, rtol=1e-4, msg=name)
        for name, buffer in model.named_buffers():
            torch.testing.assert_close(buffers[name], buffer, atol=1e-5, rtol=1e-5, msg=name)
    assert all(torch.equal(a, b) for a, b in zip(ranks[0][2].values(), ranks[1][2].values(), strict=True))
