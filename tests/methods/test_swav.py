"""SwAV (arXiv:2006.09882): swapped predictions, the queue, unit prototypes, and the values of the official runs."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F

from hf_ssl import SwAVConfig, SwAVImageProcessor
from hf_ssl.nn.queue import Queue
from hf_ssl.registry import get_method
from hf_ssl.training import LARS

from ..conftest import build_model, build_views
from ..nn.test_assignment import naive_sinkhorn
from ..processes import in_processes


def features_of(model, views):
    """Unit features (B, V, D): a pass for each size of crops, and one through the projector for all."""
    crops = [views["pixel_values"], views["local_pixel_values"]]
    h = torch.cat([model.encoder()(x.flatten(0, 1)).pooler_output.view(*x.shape[:2], -1) for x in crops], dim=1)
    z = model.projector(h.flatten(0, 1))
    return (z / z.norm(dim=1, keepdim=True)).view(*h.shape[:2], -1)


def naive_loss(z, prototypes, past=(None, None), temperature=0.1):
    """Equation 2 and multi-crop (section 3.2): crop by crop, as a double loop. `past` (L, D) is of each large crop."""
    scores = torch.einsum("bvd,kd->bvk", z, prototypes)
    total = 0.0
    for crop, rows in enumerate(past):
        own = scores[:, crop].detach()
        everyone = own if rows is None else torch.cat([rows @ prototypes.detach().T, own])
        q = naive_sinkhorn(everyone, 0.05, 3)[-len(own) :]
        others = [v for v in range(z.shape[1]) if v != crop]
        for v in others:
            p = F.softmax(scores[:, v] / temperature, dim=1)
            total = total - (q * p.log()).sum(1).mean() / len(others)
    return total / len(past)


def test_swapped_prediction_in_value_and_gradient():
    model = build_model("swav", queue_length=0).train()
    model.on_step_begin(5, 10)
    views = build_views("swav", batch=6)
    reference = copy.deepcopy(model)
    output = model(**views)
    expected = naive_loss(features_of(reference, views), reference.prototypes.weight)
    torch.testing.assert_close(output.loss.double(), expected.double(), atol=1e-5, rtol=0)
    output.loss.backward()
    expected.backward()
    for (name, p), q in zip(model.named_parameters(), reference.parameters(), strict=True):
        if p.requires_grad:
            torch.testing.assert_close(p.grad, q.grad.to(p.dtype), atol=1e-5, rtol=1e-3, msg=name)


def test_logs():
    model = build_model("swav", queue_length=0).eval()
    views = build_views("swav", batch=6)
    output = model(**views)
    scores = (features_of(model, views) @ model.prototypes.weight.T).detach()
    q = torch.stack([naive_sinkhorn(scores[:, crop], 0.05, 3) for crop in (0, 1)])
    assert output.logs["uniform_loss"].item() == pytest.approx(math.log(24))
    assert output.logs["assignment_entropy"].item() == pytest.approx(-(q * q.log()).sum(-1).mean().item(), abs=1e-4)
    assert output.logs["prototypes_used"].item() == pytest.approx(len(q.argmax(-1).unique()) / 24)


def test_one_assigned_crop():
    model = build_model("swav", queue_length=0, assigned_crops=1).eval()
    views = build_views("swav")
    expected = naive_loss(features_of(model, views), model.prototypes.weight, past=(None,))
    torch.testing.assert_close(model(**views).loss.double(), expected.double(), atol=1e-5, rtol=0)


def test_the_queue_is_used_once_it_is_full_with_the_prototypes_of_the_moment():
    model = build_model("swav").train()  # of 8 rows; no step begins: the prototypes stay
    entered = []
    for seed in range(4):
        views = build_views("swav", batch=3, seed=seed)  # a short batch, which does not divide the queue
        z = features_of(model, views).detach()
        full = sum(map(len, entered)) >= 8
        past = [torch.cat(entered)[-8:, crop] for crop in (0, 1)] if full else (None, None)
        expected = naive_loss(z, model.prototypes.weight, past)
        torch.testing.assert_close(model(**views).loss.double(), expected.double(), atol=1e-5, rtol=0)
        assert model.queue.is_full() == (seed >= 2)
        model._look_at_queue()  # as the next step will
        entered.append(z[:, :2])
        with torch.no_grad():
            model.prototypes.weight.add_(0.1 * torch.randn_like(model.prototypes.weight))
    last, before = torch.cat(entered)[-8:].flatten(1), model.queue.rows
    assert sorted(map(tuple, last.mul(1e3).round().tolist())) == sorted(map(tuple, before.mul(1e3).round().tolist()))
    without = copy.deepcopy(model)
    without.queue_full = False
    assert abs(model.eval()(**views).loss - without.eval()(**views).loss) > 1e-4  # this test can tell


def test_the_queue_starts_late_and_only_in_training():
    model = build_model("swav", queue_start_share=0.5).train()
    assert not model.queue_started
    model.on_step_begin(4, 10)
    model(**build_views("swav"))
    assert not model.queue.rows.any()
    model.on_step_begin(5, 10)
    model.eval()(**build_views("swav"))
    assert not model.queue.rows.any()
    model.train()(**build_views("swav"))
    assert model.queue.rows[:4].any(1).all() and not model.queue.is_full() and model.queue.pointer == 4


def test_the_default_has_no_queue_and_other_queues_are_always_full():
    assert build_model("swav", queue_length=0).queue is None
    assert Queue(4, 3).is_full() and not Queue(4, 3, empty=True).is_full()


def test_prototypes_have_unit_norm_in_every_step_and_afterwards():
    model = build_model("swav", freeze_prototypes_share=0.25).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for step in range(4):
        model.on_step_begin(step, 4)
        before = model.prototypes.weight.detach().clone()
        torch.testing.assert_close(before.norm(dim=1), torch.ones(24), atol=1e-6, rtol=0)
        model(**build_views("swav", seed=step)).loss.backward()
        assert torch.equal(model.prototypes.weight, before)  # forward changes none
        model.before_optimizer_step(step, 4)
        assert (model.prototypes.weight.grad is None) == (step < 1)
        assert all(p.grad is not None for n, p in model.named_parameters() if p.requires_grad and "proto" not in n)
        optimizer.step()
        model.after_optimizer_step(step, 4)
        torch.testing.assert_close(model.prototypes.weight.norm(dim=1), torch.ones(24), atol=1e-6, rtol=0)
        assert torch.allclose(model.prototypes.weight, before, atol=1e-6) == (step < 1)
        optimizer.zero_grad()


def train_with_queue(rank, world):
    model = build_model("swav", queue_length=7)
    for module in model.modules():  # batch statistics are each process's own
        if isinstance(module, torch.nn.BatchNorm1d):
            module.eval()
    losses = []
    for step in range(4):
        model.on_step_begin(step, 4)
        share = {k: v.chunk(world)[rank] for k, v in build_views("swav", batch=4, seed=step).items()}
        output = model(**share)
        model.zero_grad()
        output.loss.backward()
        losses.append(output.loss.detach())
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return torch.stack(losses), gradients, model.queue.rows, output.logs["prototypes_used"]


def test_two_processes_with_a_full_queue_equal_one():
    losses, gradients, rows, used = train_with_queue(0, 1)
    first, second = in_processes(train_with_queue)
    torch.testing.assert_close((first[0] + second[0]) / 2, losses, atol=1e-5, rtol=0)
    for name, gradient in gradients.items():
        mean = (first[1][name] + second[1][name]) / 2
        atol = 1e-5 * max(1.0, gradient.abs().max().item())
        torch.testing.assert_close(mean, gradient, atol=atol, rtol=1e-4, msg=name)
    assert torch.equal(first[2], second[2]) and first[3] == second[3] == used
    torch.testing.assert_close(first[2], rows, atol=1e-5, rtol=0)


def naive_larc(w, gradient, buffer, lr, weight_decay, momentum=0.9, trust=0.001):
    rate = trust * w.norm() / (gradient.norm() + weight_decay * w.norm() + 1e-8)
    buffer = momentum * buffer + rate * (gradient + weight_decay * w)
    return w - lr * buffer, buffer


def test_on_matrices_lars_is_the_official_larc_without_clipping():
    torch.manual_seed(0)
    w = torch.nn.Parameter(torch.randn(8, 5))
    optimizer = LARS([w], lr=4.8, weight_decay=1e-6)
    expected, buffer = w.detach().double(), 0.0
    for _ in range(4):
        w.grad = torch.randn(8, 5)
        expected, buffer = naive_larc(expected, w.grad.double(), buffer, 4.8, 1e-6)
        optimizer.step()
    torch.testing.assert_close(w.detach().double(), expected, atol=1e-5, rtol=0)


def test_errors():
    with pytest.raises(ValueError, match="queue_length must be 0 .no queue. or more, got -1"):
        SwAVConfig(queue_length=-1)
    for name in ("num_prototypes", "temperature", "sinkhorn_epsilon", "sinkhorn_iterations", "assigned_crops"):
        with pytest.raises(ValueError, match=f"SwAVConfig.{name} must be above 0"):
            SwAVConfig(**{name: 0})
    with pytest.raises(ValueError, match="freeze_prototypes_share must lie in"):
        SwAVConfig(freeze_prototypes_share=2)
    with pytest.raises(ValueError, match="at least 2 images with at least 2 views"):
        build_model("swav")(torch.zeros(4, 1, 3, 32, 32))
    with pytest.raises(ValueError, match="at least 3 views"):
        build_model("swav", assigned_crops=3)(torch.zeros(4, 2, 3, 32, 32))
    with pytest.raises(ValueError, match="A queue of 8 rows cannot take 9 at once"):
        build_model("swav").train()(**build_views("swav", batch=9))


def test_values_of_the_official_runs():
    config, processor = SwAVConfig(), SwAVImageProcessor()
    assert (list(config.projection_sizes), config.num_prototypes) == ([2048, 128], 3000)
    assert (config.temperature, config.sinkhorn_epsilon, config.sinkhorn_iterations) == (0.1, 0.05, 3)
    steps = {4096: 400 * (1281167 // 4096), 256: 400 * (1281167 // 256)}
    frozen = {batch: config.freeze_prototypes_share * total for batch, total in steps.items()}
    assert frozen == {4096: pytest.approx(313, abs=1), 256: pytest.approx(5005, abs=1)}
    assert config.queue_length == 0 and config.queue_start_share * 400 == 15
    policies = processor.policies()
    large, small = policies["pixel_values"], policies["local_pixel_values"]
    assert [p.size for p in large] == [224] * 2 and [p.size for p in small] == [96] * 6
    for policy, scale in ((large[0], (0.14, 1.0)), (large[1], (0.14, 1.0)), (small[0], (0.05, 0.14))):
        assert policy.crop_scale == scale
        assert (policy.brightness, policy.contrast, policy.saturation, policy.hue) == (0.8, 0.8, 0.8, 0.2)
        assert (policy.jitter_probability, policy.grayscale_probability) == (0.8, 0.2)
        assert (policy.blur_probability, policy.blur_sigma, policy.solarize_probability) == (0.5, (0.1, 2.0), 0)
    recipes = get_method("swav").recipes
    assert recipes["paper"].training["base_learning_rate"] * 4096 / 256 == pytest.approx(4.8)
    assert recipes["paper-256"].config["queue_length"] == 3840


def test_the_projector_of_the_official_code():
    projector = build_model("swav").projector
    assert [type(m).__name__ for m in projector] == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert projector[0].bias is not None and projector[3].bias is not None
    assert build_model("swav").prototypes.bias is None
