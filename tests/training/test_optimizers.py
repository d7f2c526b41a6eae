"""Parameter groups, LARS, clipping and the schedules of the Trainer."""

import pytest
import torch

from hf_ssl.registry import METHODS
from hf_ssl.training import LARS, SSLTrainingArguments
from hf_ssl.training.optimizers import clip_each_, decays, mark_groups

from ..conftest import build_model
from .test_resume import build_trainer


def naive_lars(weight, gradients, lr, momentum, weight_decay, trust):
    """One tensor, as the official Barlow Twins code writes it."""
    buffer = torch.zeros_like(weight)
    for gradient in gradients:
        update = gradient + weight_decay * weight
        w, u = weight.norm(), update.norm()
        update = update * (trust * w / u if w > 0 and u > 0 else 1.0)
        buffer = momentum * buffer + update
        weight = weight - lr * buffer
    return weight


def test_lars_is_the_official_update():
    torch.manual_seed(0)
    weight, bias = torch.nn.Parameter(torch.randn(4, 3)), torch.nn.Parameter(torch.randn(4))
    start = weight.detach().clone(), bias.detach().clone()
    gradients = [(torch.randn(4, 3), torch.randn(4)) for _ in range(4)]
    optimizer = LARS(
        [{"params": [weight], "weight_decay": 0.1, "decays": True}, {"params": [bias], "decays": False}],
        lr=0.3,
        trust_coefficient=0.02,
    )
    for weight.grad, bias.grad in gradients:
        optimizer.step()
    expected = naive_lars(start[0], [g for g, _ in gradients], 0.3, 0.9, 0.1, 0.02)
    torch.testing.assert_close(weight.detach(), expected, atol=1e-5, rtol=0)
    sgd = torch.nn.Parameter(start[1].clone())
    plain = torch.optim.SGD([sgd], lr=0.3, momentum=0.9)
    for _, sgd.grad in gradients:
        plain.step()
    torch.testing.assert_close(bias, sgd, atol=1e-6, rtol=0)


def test_lars_survives_zero_weights_and_gradients():
    weight = torch.nn.Parameter(torch.zeros(2, 2))
    weight.grad = torch.ones(2, 2)
    optimizer = LARS([weight], lr=0.5)
    optimizer.step()
    torch.testing.assert_close(weight.detach(), torch.full((2, 2), -0.5))


@pytest.mark.parametrize("backbone", ["vit", "resnet", "dinov2", "swin", "convnext"])
def test_norms_biases_and_tokens_never_decay(backbone):  # T11
    model = build_model("simclr", backbone)
    names = {name for name, parameter in model.named_parameters() if decays(name, parameter)}
    for name, parameter in model.named_parameters():
        special = name.rsplit(".", 1)[-1] in ("bias", "cls_token", "mask_token", "position_embeddings")
        expected = parameter.ndim > 1 and not special and "relative_position_bias" not in name
        assert (name in names) == expected, name


def test_clipping_is_per_parameter():
    big, small = torch.nn.Parameter(torch.zeros(3)), torch.nn.Parameter(torch.zeros(3))
    big.grad, small.grad = torch.full((3,), 10.0), torch.full((3,), 0.1)
    norm = clip_each_([big, small, torch.nn.Parameter(torch.zeros(1))], 3.0)
    assert norm.item() == pytest.approx((300 + 0.03) ** 0.5, rel=1e-5)
    assert big.grad.norm().item() == pytest.approx(3.0, rel=1e-4)
    torch.testing.assert_close(small.grad, torch.full((3,), 0.1))


@pytest.mark.parametrize("method", METHODS)
def test_the_optimizer_holds_every_trainable_parameter_once(method, tmp_path):
    trainer = build_trainer(method, "vit", tmp_path, lars=method == "simclr")
    optimizer = trainer.create_optimizer()
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in trainer.model.parameters() if p.requires_grad)
    kinds = [(group["decays"], group["weight_decay"], group["constant_lr"]) for group in optimizer.param_groups]
    apart = [(True, 0.1, True), (False, 0.0, True)] if trainer.model.constant_lr_modules else []
    assert kinds == [(True, 0.1, False), (False, 0.0, False), *apart]
    assert isinstance(optimizer, LARS) == (method == "simclr")


def test_the_predictor_of_simsiam_keeps_its_learning_rate(tmp_path):
    trainer = build_trainer("simsiam", "vit", tmp_path, bias_lr_ratio=0.5)
    seen = []

    def record(step, total):
        seen.append([group["lr"] for group in trainer.optimizer.param_groups])

    trainer.model.before_optimizer_step = record
    trainer.train()
    weights, biases, predictor_weights, predictor_biases = zip(*seen, strict=True)
    assert set(predictor_weights) == {1e-2} and set(predictor_biases) == {5e-3}
    assert weights[0] == 0 and max(weights) > 5e-3 and weights[-1] < 4e-3
    assert list(biases) == [rate / 2 for rate in weights]
    held = {id(p) for group in trainer.optimizer.param_groups[2:] for p in group["params"]}
    assert held == {id(p) for p in trainer.model.predictor.parameters()}


def test_schedules_of_the_trainer(tmp_path):
    trainer = build_trainer("simclr", "vit", tmp_path, min_learning_rate=1e-3, gradient_accumulation_steps=1)
    seen = []

    def record(step, total):
        groups = trainer.optimizer.param_groups
        seen.append((groups[0]["lr"], groups[0]["weight_decay"], groups[1]["weight_decay"]))

    trainer.model.before_optimizer_step = record
    trainer.train()
    rates, decays_, none = zip(*seen, strict=True)
    assert len(rates) == 10 and rates[0] == 0 and max(rates) == pytest.approx(1e-2, rel=0.02)
    assert rates[-1] == pytest.approx(1e-3, rel=0.5) and set(none) == {0.0}
    assert decays_[0] == pytest.approx(0.1) and decays_[5] == pytest.approx(0.25) and decays_[-1] > 0.38


def test_the_learning_rate_scales_with_the_batch(tmp_path):
    arguments = SSLTrainingArguments(
        output_dir=str(tmp_path),
        base_learning_rate=0.3,
        per_device_train_batch_size=64,
        gradient_accumulation_steps=2,
        use_cpu=True,
    )
    assert arguments.learning_rate == pytest.approx(0.3 * 128 / 256)


def test_defaults_hide_nothing(tmp_path):  # T16
    arguments = SSLTrainingArguments(output_dir=str(tmp_path), use_cpu=True)
    assert arguments.logging_nan_inf_filter is False and arguments.ddp_find_unused_parameters is False
    assert arguments.remove_unused_columns is False and arguments.dataloader_drop_last is True


def test_mark_groups_names_every_group():
    model = build_model("mae")
    optimizer = torch.optim.SGD([{"params": [p]} for p in model.parameters()], lr=0.1)
    mark_groups(optimizer, model, ())
    assert {group["decays"] for group in optimizer.param_groups} == {True, False}
