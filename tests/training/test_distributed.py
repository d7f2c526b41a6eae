"""Two gloo processes give the loss, gradients and BatchNorm statistics of one, and the same state on every rank."""

import pytest
import torch
import torch.distributed as dist

from hf_ssl.nn.batch_norm import synchronise_batch_norm_
from hf_ssl.nn.drop_path import DropPath

from ..conftest import CASES, build_model, build_views
from ..processes import each, in_processes

# Encoders without and with BatchNorm.
PLAIN = [case for case in CASES if case[1] not in ("dinov2", "swin", "convnext")]
NAMES = [f"{method} {backbone}" for method, backbone in PLAIN]


def prepare(method, backbone=None):
    model = build_model(method, backbone)
    synchronise_batch_norm_(model, torch.device("cpu"), model.local_batch_norm)
    for module in model.modules():  # what is not synchronised, and dropped branches, are each process's own
        local = isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d)
        if local or isinstance(module, DropPath):
            module.eval()
            module.train = lambda mode=True, m=module: m
    return model


def train_a_step(rank, world):
    """Loss, gradients and buffers of each method and encoder, or what went wrong."""

    def of_case(name):
        method, backbone = name.split()
        model = prepare(method, backbone)
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
        return loss / world, gradients, dict(model.named_buffers())

    return each(NAMES, of_case)


@pytest.fixture(scope="module")
def two_processes():
    return in_processes(train_a_step)


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_equal_one(name, two_processes):
    method, backbone = name.split()
    model = prepare(method, backbone)
    model.on_step_begin(5, 10)
    loss = model(**build_views(method, batch=8)).loss
    loss.backward()
    model.before_optimizer_step(5, 10)
    model.after_optimizer_step(5, 10)
    ranks = [results[name] for results in two_processes]
    for other in ranks:
        assert not isinstance(other, str), other
        other_loss, gradients, buffers = other
        assert buffers.keys() == dict(model.named_buffers()).keys()
        torch.testing.assert_close(other_loss, loss.detach(), atol=1e-5, rtol=0)
        assert gradients.keys() == {n for n, p in model.named_parameters() if p.grad is not None}
        for n, gradient in gradients.items():
            expected = model.get_parameter(n).grad
            atol = 1e-5 * max(1.0, expected.abs().max().item())
            torch.testing.assert_close(gradient, expected, atol=atol, rtol=1e-4, msg=n)
        for n, buffer in model.named_buffers():
            torch.testing.assert_close(buffers[n], buffer, atol=1e-5, rtol=1e-5, msg=n)
    assert all(torch.equal(a, b) for a, b in zip(ranks[0][2].values(), ranks[1][2].values(), strict=True))
