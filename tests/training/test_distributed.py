"""Two gloo processes give the loss and the gradients of one, and the same state on every rank."""

import pytest
import torch
import torch.distributed as dist

from hf_ssl.nn.drop_path import DropPath
from hf_ssl.registry import METHODS

from ..conftest import build_model, build_views
from ..processes import each, in_processes


def prepare(method):
    model = build_model(method)
    for module in model.modules():  # batch statistics and dropped branches are each process's own
        if isinstance(module, (torch.nn.BatchNorm1d, DropPath)):
            module.eval()
            module.train = lambda mode=True, m=module: m
    return model


def train_a_step(rank, world):
    """Loss, gradients and buffers of each method, or what went wrong."""

    def of_method(method):
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
        return loss / world, gradients, dict(model.named_buffers())

    return each(METHODS, of_method)


@pytest.fixture(scope="module")
def two_processes():
    return in_processes(train_a_step)


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_equal_one(method, two_processes):
    model = prepare(method)
    model.on_step_begin(5, 10)
    loss = model(**build_views(method, batch=8)).loss
    loss.backward()
    model.before_optimizer_step(5, 10)
    model.after_optimizer_step(5, 10)
    ranks = [results[method] for results in two_processes]
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
