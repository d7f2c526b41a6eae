"""The doctor names each failure, made on purpose, and stays silent on a healthy run."""

import logging

import pytest
import torch

from hf_ssl.training import Doctor

from ..conftest import build_model
from .test_resume import build_trainer, images


def train(tmp_path, method="simclr", change=None, **arguments):
    arguments = {"gradient_accumulation_steps": 1, "num_train_epochs": 3, **arguments}
    trainer = build_trainer(method, "vit", tmp_path, **arguments)
    if change:
        change(trainer.model)
    trainer.train()
    return trainer


def test_healthy_runs_get_no_finding(tmp_path):
    for method in ("simclr", "dino", "mae"):
        trainer = train(tmp_path / method, method, learning_rate=1e-4)
        assert trainer.doctor.findings == {}, method


def test_nan_stops_the_run(tmp_path, caplog):
    def poison(model):
        with torch.no_grad():
            model.projector[0].weight.fill_(float("nan"))

    with caplog.at_level(logging.WARNING):
        trainer = train(tmp_path, change=poison)
    assert set(trainer.doctor.findings) == {"nan"} and "Lower learning_rate" in trainer.doctor.findings["nan"]
    assert trainer.state.global_step == 1


def test_collapsed_embeddings(tmp_path):
    def collapse(model):
        with torch.no_grad():
            model.backbone.layernorm.weight.zero_()

    finding = train(tmp_path, change=collapse, learning_rate=0.0).doctor.findings["rank"]
    assert "of 48 dimensions" in finding and "Strengthen the views" in finding


def test_uniform_teacher(tmp_path):
    def flatten(model):
        with torch.no_grad():
            for head in (model.head, model.student.head):
                head.prototypes.weight.fill_(1.0)

    finding = train(tmp_path, "dino", change=flatten, learning_rate=0.0).doctor.findings["uniform"]
    assert "4.1589" in finding and "teacher_temperature" in finding


def test_teacher_that_stands_still(tmp_path):
    def fix(model):
        model.after_optimizer_step = lambda step, total: None

    assert "has not moved" in train(tmp_path, "dino", change=fix).doctor.findings["teacher"]


def test_the_window_is_bounded():
    doctor = Doctor(window=32)
    assert doctor.rank() is None
    for _ in range(50):
        doctor.observe(torch.randn(8, 4))
    assert sum(map(len, doctor._embeddings)) <= 40 and 3 < doctor.rank() <= 4


def test_clear_errors_before_training(tmp_path):
    with pytest.raises(ValueError, match="per_device_train_batch_size must be at least 2, got 1"):
        build_trainer("simclr", "vit", tmp_path, per_device_train_batch_size=1)
    assert images() and build_model("mae").batch_contrastive is False
