"""Parameter groups, LARS, clipping and the schedules of the Trainer."""

import pytest
import torch

from hf_ssl.nn.parameter_groups import Treatment, decays, grouped
from hf_ssl.registry import METHODS
from hf_ssl.training import LARS, SSLTrainingArguments
from hf_ssl.training.optimizers import clip_each_, regroup_

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
    trainer = build_trainer(method, None, tmp_path, lars=method == "simclr")
    optimizer = trainer.create_optimizer()
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in trainer.model.parameters() if p.requires_grad)
    kinds = [(group["decays"], group["weight_decay"], group["schedule"]) for group in optimizer.param_groups]
    apart = [(True, 0.1, "constant"), (False, 0.0, "constant")] if method == "simsiam" else []
    usual = "shallow_cosine" if method == "fixmatch" else None
    assert kinds == [(True, 0.1, usual), (False, 0.0, usual), *apart]
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


def test_every_parameter_is_in_one_group():
    model = build_model("mae")
    arguments = SSLTrainingArguments(output_dir="unused", use_cpu=True)
    groups = model.parameter_groups(arguments)
    assert {group["decays"] for group in groups} == {True, False}
    for wrong in (groups[:1], [*groups, groups[0]]):
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        with pytest.raises(ValueError, match="name every parameter with requires_grad once"):
            regroup_(optimizer, wrong)


def layerwise(name):
    """Layer-wise decay in the encoder, and a projector with all that a group can have of its own."""
    if name.startswith("projector."):
        return Treatment("projector", 2.0, weight_decay=0.7, schedule="constant_with_warmup", max_grad_norm=0.01)
    layer = name.split(".")[2] if ".layers." in name else "0"
    return Treatment(lr_scale=0.5 ** (2 - int(layer)))


def test_groups_of_a_method(tmp_path):
    trainer = build_trainer("simclr", "vit", tmp_path, bias_lr_ratio=0.5)
    model, seen = trainer.model, []
    model.parameter_groups = lambda args: grouped(model.named_parameters(), args, layerwise)
    projector = list(model.projector.parameters())

    def record(step, total):
        groups = trainer.optimizer.param_groups
        norm = torch.stack([p.grad.norm() for p in projector]).norm().item()
        rest = max(p.grad.norm().item() for p in model.backbone.parameters())
        seen.append(([g["lr"] for g in groups], [g["weight_decay"] for g in groups], norm, rest))

    model.before_optimizer_step = record
    trainer.train()
    for rates, decays_, norm, rest in seen:
        first, second, heads = rates[:2], rates[2:4], rates[4:]
        assert first[1] == first[0] / 2 and second == [2 * rate for rate in first] and heads[1] == heads[0] / 2
        assert decays_[4:] == [0.7, 0.0] and decays_[0] == decays_[2] and decays_[1] == decays_[3] == 0.0
        assert norm == pytest.approx(0.01, rel=1e-3) and rest > 0.01
    assert [rates[4] for rates, *_ in seen] == [0.0, 0.01, *[0.02] * 4]  # its schedule does not fall
    assert seen[-1][0][0] < seen[2][0][0] and seen[0][1][0] == pytest.approx(0.1) and seen[-1][1][0] > 0.3
    logged = [entry["grad_norm"] for entry in trainer.state.log_history if "grad_norm" in entry]
    assert all(value > 0.01 for value in logged)  # of all gradients, before


@pytest.mark.parametrize("limits", [{"max_grad_norm": 0.02}, {"max_parameter_grad_norm": 0.02}])
def test_groups_without_a_norm_of_their_own_are_clipped_as_the_arguments_say(limits, tmp_path):
    trainer = build_trainer("simclr", "vit", tmp_path, max_steps=1, **limits)
    model, seen = trainer.model, []
    apart = Treatment(max_grad_norm=0.01)
    model.parameter_groups = lambda args: grouped(
        model.named_parameters(), args, lambda name: apart if name.startswith("projector.") else Treatment()
    )
    model.before_optimizer_step = lambda step, total: seen.extend(
        [[p.grad.norm() for p in part.parameters()] for part in (model.backbone, model.projector)]
    )
    trainer.train()
    rest, projector = (torch.stack(norms) for norms in seen)
    assert projector.norm().item() == pytest.approx(0.01, rel=1e-3)
    norm = rest.norm() if "max_grad_norm" in limits else rest.max()
    assert norm.item() == pytest.approx(0.02, rel=1e-3)
