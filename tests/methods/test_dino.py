"""DINO (arXiv:2104.14294) against a step-by-step version of its algorithm 1."""

import math

import pytest
import torch

from hf_ssl import DinoConfig, DinoImageProcessor

from ..conftest import build_model, build_views
from .steps import teacher_follows


def naive_step(model, views, temperature):
    """Loss and next centre, crop by crop, as algorithm 1 and the multi-crop loop of the official code say."""
    student, teacher = [], []
    for name in ("pixel_values", "local_pixel_values"):
        for v in range(views[name].shape[1]):
            x = views[name][:, v]
            small = x.shape[-1] != 32
            student.append(
                model.student.head(model.student.backbone(x, interpolate_pos_encoding=small)[0][:, 0]) / 0.1
            )
            if not small:
                teacher.append(model.head(model.backbone(x)[0][:, 0]).detach())
    total, terms = 0.0, 0
    for i, t in enumerate(teacher):
        target = ((t - model.center) / temperature).softmax(-1)
        for v, s in enumerate(student):
            if v != i:
                total = total + torch.sum(-target * s.log_softmax(-1), dim=-1).mean()
                terms += 1
    center = 0.9 * model.center + 0.1 * torch.cat(teacher).mean(0)
    return total / terms, center


def test_loss_centre_and_teacher_follow_the_algorithm():
    model = build_model("dino", student_drop_path_rate=0.0, teacher_momentum=0.9, freeze_prototypes_share=0.0).train()
    model.center.normal_()
    optimizer = torch.optim.SGD(model.student.parameters(), lr=0.1)
    for step in range(3):
        views = build_views("dino", seed=step)
        model.on_step_begin(step, 30)
        expected, center = naive_step(model, views, 0.04 + 0.03 * step / 3)
        gradients = torch.autograd.grad(expected, list(model.student.parameters()))
        loss = model(**views).loss
        torch.testing.assert_close(loss, expected, atol=1e-5, rtol=0)
        teacher_follows(model, optimizer, loss, gradients, step)
        torch.testing.assert_close(model.center, center, atol=1e-5, rtol=0)


def test_centre_stands_still_in_eval():
    model = build_model("dino").eval()
    model(**build_views("dino"))
    model.after_optimizer_step(0, 10)
    assert not model.center.any()


def test_centre_moves_once_a_step_whatever_the_accumulation():
    views, centers = build_views("dino", batch=8), []
    for parts in (1, 2, 4):
        model = build_model("dino").train()
        model.center.normal_(generator=torch.Generator().manual_seed(0))
        model.on_step_begin(0, 10)
        targets = model.center.clone()
        for i in range(parts):
            model(**{name: value.chunk(parts)[i] for name, value in views.items()})
            assert torch.equal(model.center, targets)  # all batches of a step have targets of one centre
        model.after_optimizer_step(0, 10)
        assert not torch.equal(model.center, targets)
        model.on_step_begin(1, 10)
        centers.append(model.center.clone())
        model.after_optimizer_step(1, 10)  # without a batch
        assert torch.equal(model.center, centers[-1])
    torch.testing.assert_close(centers[1], centers[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(centers[2], centers[0], atol=1e-5, rtol=0)


def test_batches_outside_of_a_step_do_not_move_the_centre(tmp_path):
    model = build_model("dino").train()
    model(**build_views("dino"))  # such as one that is timed
    model.on_step_begin(0, 10)
    model.after_optimizer_step(0, 10)
    assert not model.center.any()
    model(**build_views("dino"))
    model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path)
    assert not again.center_sum.any() and not again.center_batches.any()


def test_schedules():
    model = build_model("dino", warmup_teacher_share=0.5, freeze_prototypes_share=0.1, norm_last_layer=False)
    temperatures = []
    for step in (0, 25, 50, 99):
        model.on_step_begin(step, 100)
        temperatures.append(model.distillation.temperature)
    assert temperatures == pytest.approx([0.04, 0.055, 0.07, 0.07])
    for step, fixed in ((0, True), (9, True), (10, False)):
        model.zero_grad()
        model(**build_views("dino")).loss.backward()
        model.before_optimizer_step(step, 100)
        assert (model.student.head.prototypes.weight.grad is None) == fixed
        assert (model.student.head.norms.grad is None) == fixed
        assert model.student.head.mlp[0].weight.grad is not None


def test_only_the_student_has_stochastic_depth():
    model = build_model("dino", student_drop_path_rate=0.9)
    model.on_step_begin(0, 10)
    views = build_views("dino")
    entropies = {model.train()(**views).logs["teacher_entropy"].item() for _ in range(3)}
    losses = {model(**views).loss.item() for _ in range(3)}
    model.center.zero_()
    assert len(losses) == 3
    with torch.no_grad():
        once, twice = (model._project(model, [views["pixel_values"]])[0] for _ in range(2))
    assert torch.equal(once, twice) and entropies


def test_a_uniform_teacher_gives_the_logarithm_of_the_prototypes():
    model = build_model("dino", student_drop_path_rate=0.0)
    with torch.no_grad():
        for head in (model.head, model.student.head):
            head.prototypes.weight.fill_(1.0)
    output = model(**build_views("dino"))
    assert output.loss.item() == pytest.approx(math.log(64), abs=1e-4)
    assert output.logs["uniform_loss"].item() == pytest.approx(math.log(64), abs=1e-5)
    assert output.logs["teacher_entropy"].item() == pytest.approx(math.log(64), abs=1e-4)


def test_views_are_those_of_the_official_code():
    policies = DinoImageProcessor().policies()
    first, second = policies["pixel_values"]
    local = policies["local_pixel_values"]
    assert len(local) == 8 and local[0].size == 96 and local[0].crop_scale == (0.05, 0.4)
    assert (first.blur_probability, second.blur_probability, local[0].blur_probability) == (1.0, 0.1, 0.5)
    assert (first.solarize_probability, second.solarize_probability) == (0.0, 0.2)
    assert first.interpolation == "bicubic" and first.crop_scale == (0.4, 1.0)
    assert "local_pixel_values" not in DinoImageProcessor(local_crops=0).policies()


def test_bad_input():
    with pytest.raises(ValueError, match="at least 2 large crops"):
        build_model("dino")(torch.zeros(2, 1, 3, 32, 32))
    with pytest.raises(ValueError, match="teacher_momentum must lie in"):
        DinoConfig(teacher_momentum=2)
    with pytest.raises(ValueError, match="student_temperature must be above 0"):
        DinoConfig(student_temperature=0.0)
