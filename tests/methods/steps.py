"""What the tests of several methods check in the same way."""

import math

import torch
from transformers import AutoModel


def teacher_follows(model, optimizer, loss, gradients, step):
    """Step `step` of 30: the student's gradients are `gradients`, and the teacher moves by 0.9 and more towards it."""
    optimizer.zero_grad()
    loss.backward()
    for parameter, gradient in zip(model.student.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-5, rtol=1e-4)
    model.before_optimizer_step(step, 30)
    optimizer.step()
    momentum = 1 - 0.1 * (math.cos(math.pi * step / 30) + 1) / 2
    before = [p.clone() for p in model.backbone.parameters()]
    students = [p.clone() for p in model.student.backbone.parameters()]
    model.after_optimizer_step(step, 30)
    for t, s, new in zip(before, students, model.backbone.parameters(), strict=True):
        torch.testing.assert_close(new, momentum * t + (1 - momentum) * s, atol=1e-6, rtol=0)


def loaded_by_transformers(model, folder, name):
    """The published encoder as plain `AutoModel` loads it, a `name` with all of its weights."""
    model.native_encoder().save_pretrained(folder)
    native, info = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"] and type(native).__name__ == name
    return native.eval()
