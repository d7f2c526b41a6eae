"""iBOT (arXiv:2111.07832) against a step-by-step version of its equations and of the official loops."""

import math

import pytest
import torch
import torch.nn.functional as F

from hf_ssl import IBOTConfig, IBOTImageProcessor
from hf_ssl.nn.objectives import Passes, clean

from ..conftest import BACKBONES, build_model, build_views
from .steps import teacher_follows


def tokens_of(vit, images, mask=None):
    """All tokens of a native ViT."""
    other_size = images.shape[-1] != 32
    return vit(images, bool_masked_pos=mask, interpolate_pos_encoding=other_size).last_hidden_state


def naive_step(model, views, temperature, patch_temperature):
    """Losses and next centres, crop by crop and patch by patch."""
    large, masks = views["pixel_values"], views["bool_masked_pos"]
    teacher, student, cls_terms, patch_terms = [], [], [], []
    for v in range(2):
        teacher.append(model.head(tokens_of(model.backbone, large[:, v])[0:].flatten(0, 1)).detach().view(4, 17, -1))
        seen = tokens_of(model.student.backbone, large[:, v], masks[:, v])
        student.append(model.student.head(seen.flatten(0, 1)).view(4, 17, -1))
    cls_students = [s[:, 0] for s in student]
    for v in range(views["local_pixel_values"].shape[1]):
        small = tokens_of(model.student.backbone, views["local_pixel_values"][:, v])
        cls_students.append(model.student.head(small[:, 0]))
    for q in range(2):
        target = F.softmax((teacher[q][:, 0] - model.center) / temperature, dim=-1)
        for v, logits in enumerate(cls_students):
            if v != q:
                cls_terms.append(-(target * F.log_softmax(logits / 0.1, dim=-1)).sum(-1).mean())
        of_crops = []
        for image in range(4):
            errors = []
            for patch in range(16):
                if masks[image, q, patch]:
                    target = F.softmax((teacher[q][image, 1 + patch] - model.patch_center) / patch_temperature, dim=-1)
                    errors.append(-(target * F.log_softmax(student[q][image, 1 + patch] / 0.1, dim=-1)).sum())
            of_crops.append(sum(errors) / max(len(errors), 1))
        patch_terms.append(sum(of_crops) / 4)
    centers = [
        0.9 * old + 0.1 * torch.stack(means).mean(0)
        for old, means in (
            (model.center, [t[:, 0].mean(0) for t in teacher]),
            (model.patch_center, [t[:, 1:].mean((0, 1)) for t in teacher]),
        )
    ]
    return sum(cls_terms) / len(cls_terms), sum(patch_terms) / 2, centers


def test_losses_gradients_centres_and_teacher_follow_the_official_loops():
    fields = {"student_drop_path_rate": 0.0, "teacher_momentum": 0.9, "freeze_prototypes_share": 0.0}
    model = build_model("ibot", **fields, warmup_teacher_share=0.1, teacher_patch_temperature=0.06).train()
    model.center.normal_()
    model.patch_center.normal_()
    optimizer = torch.optim.SGD(model.student.parameters(), lr=0.1)
    for step in range(3):
        views = build_views("ibot", seed=step)
        views["bool_masked_pos"][0] = False  # a crop that is whole
        model.on_step_begin(step, 30)
        of_views, of_patches, centers = naive_step(model, views, 0.04 + 0.01 * step, 0.04 + 0.02 * step / 3)
        expected = of_views + of_patches
        gradients = torch.autograd.grad(expected, list(model.student.parameters()))
        output = model(**views)
        torch.testing.assert_close(output.loss, expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(output.logs["view_loss"], of_views.detach(), atol=1e-5, rtol=0)
        torch.testing.assert_close(output.logs["patch_loss"], of_patches.detach(), atol=1e-5, rtol=0)
        teacher_follows(model, optimizer, output.loss, gradients, step)
        for center, new in zip(centers, (model.center, model.patch_center), strict=True):
            torch.testing.assert_close(new, center, atol=1e-5, rtol=0)


def test_both_objectives_share_the_passes(monkeypatch):
    model, views, runs = build_model("ibot").train(), build_views("ibot"), []
    for name, network in (("teacher", model.backbone), ("student", model.student.backbone)):
        network.layers[0].register_forward_hook(lambda module, args, output, name=name: runs.append(name))
    model(**views)
    assert runs == ["teacher", "student", "student"]  # large crops, masked ones, small ones; the teacher first


def test_a_pass_that_is_named_twice_runs_once():
    runs = []
    passes = Passes(lambda which: runs.append(which) or which)
    assert passes(clean()) is passes(clean()) and passes(clean(teacher=True)).teacher
    assert runs == [clean(), clean(teacher=True)]


def test_weights_of_the_losses_and_a_uniform_teacher():
    views = build_views("ibot")
    model = build_model("ibot", view_weight=0.5, patch_weight=2.0)
    logs = (output := model(**views)).logs
    assert output.loss.item() == pytest.approx((0.5 * logs["view_loss"] + 2 * logs["patch_loss"]).item(), rel=1e-5)
    with torch.no_grad():
        for head in (model.head, model.student.head):
            head.prototypes.weight.fill_(1.0)
            head.norms.fill_(1.0)
    views["bool_masked_pos"][:1] = False
    output = model(**views)
    uniform = (0.5 + 2.0 * views["bool_masked_pos"].any(-1).float().mean().item()) * math.log(64)
    assert output.loss.item() == pytest.approx(uniform, rel=1e-4)
    assert output.logs["uniform_loss"].item() == pytest.approx(uniform, rel=1e-5)


def test_centres_move_once_a_step_whatever_the_accumulation():
    views, centers = build_views("ibot", batch=8), []
    for parts in (1, 4):
        model = build_model("ibot").train()
        model.on_step_begin(0, 10)
        for i in range(parts):
            model(**{name: value.chunk(parts)[i] for name, value in views.items()})
        model.after_optimizer_step(0, 10)
        centers.append((model.center.clone(), model.patch_center.clone()))
    assert centers[0][0].any() and centers[0][1].any()
    for one, other in zip(*centers, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_masks_are_those_of_the_official_code():
    processor = IBOTImageProcessor()
    mask = processor.draw_masks(200, torch.Generator().manual_seed(0))["bool_masked_pos"]
    assert mask.shape == (200, 2, 196)
    shares = mask.float().mean(-1).flatten()
    assert 0.4 < (shares == 0).float().mean() < 0.6 and shares.max() <= 0.5  # half of the crops stay whole
    assert 0.25 < shares[shares > 0].mean() < 0.33
    policies = processor.policies()
    assert len(policies["local_pixel_values"]) == 10 and policies["local_pixel_values"][0].crop_scale == (0.05, 0.25)
    assert [p.crop_scale for p in policies["pixel_values"]] == [(0.25, 1.0)] * 2


def test_bad_input():
    views = build_views("ibot")
    with pytest.raises(ValueError, match="at least 2 large crops"):
        build_model("ibot")(views["pixel_values"][:, :1], views["bool_masked_pos"][:, :1])
    with pytest.raises(ValueError, match=r"has shape \(4, 2, 9\), .*need \(4, 2, 16\): check patch_size"):
        build_model("ibot")(views["pixel_values"], views["bool_masked_pos"][..., :9])
    for backbone in ("resnet", "swin"):
        with pytest.raises(ValueError, match="IBOTConfig puts a mask token in the place of patches, .* choose a ViT"):
            IBOTConfig(backbone_config=BACKBONES[backbone]())
    with pytest.raises(ValueError, match="teacher_patch_temperature must be above 0"):
        IBOTConfig(teacher_patch_temperature=0.0)
    with pytest.raises(ValueError, match="pooling must be None"):
        IBOTConfig(pooling="mean")
