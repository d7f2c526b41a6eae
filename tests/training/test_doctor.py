"""The doctor names each failure, made on purpose, and stays silent on a healthy run."""

import logging
import re

import pytest
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState

from hf_ssl.registry import METHODS
from hf_ssl.training import Doctor, SSLTrainingArguments

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


def poison(model):
    with torch.no_grad():
        model.projector[0].weight.fill_(float("nan"))


def test_nan_stops_the_run(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        trainer = train(tmp_path, change=poison, learning_rate=1e-3)
    (finding,) = trainer.doctor.findings.values()
    assert finding.startswith("The loss is nan at step 1 of ") and "Lower learning_rate (now 0.001)" in finding
    assert "raise temperature (now 0.1)" in finding and "There was no checkpoint yet." in finding
    assert "teacher" not in finding and "fp16" not in finding
    assert trainer.state.global_step == 1


def test_nan_of_an_evaluation_stops_the_run(tmp_path, caplog):
    doctor, control = Doctor(), TrainerControl()
    doctor.warns = False
    state = TrainerState(global_step=2, max_steps=9)
    with caplog.at_level(logging.WARNING):
        args = SSLTrainingArguments(str(tmp_path), use_cpu=True)
        doctor.on_log(args, state, control, model=build_model("simclr"), logs={"eval_loss": float("nan")})
    assert "The loss of the evaluation is nan at step 2 of 9. Lower learning_rate" in doctor.findings["nan"]
    assert control.should_training_stop and not caplog.text


@pytest.mark.parametrize("strategy", ["steps", "epoch"])
def test_broken_weights_are_not_saved(strategy, tmp_path):  # the log that would show them comes too late
    class Poison(TrainerCallback):
        def on_optimizer_step(self, args, state, control, model, **kwargs):
            if state.global_step == 7:
                poison(model)

    arguments = {"save_strategy": strategy, "logging_steps": 1000, "num_train_epochs": 4}
    arguments |= {"save_steps": 2} if strategy == "steps" else {}
    trainer = train(tmp_path, change=lambda model: None, callbacks=[Poison()], **arguments)
    finding = trainer.doctor.findings["nan"]
    last = max(tmp_path.glob("checkpoint-*"), key=lambda folder: int(folder.name.rpartition("-")[2]))
    assert "A weight is no longer finite at step" in finding and f"is kept: {last}." in finding
    weights = type(trainer.model).from_pretrained(last)
    assert all(parameter.isfinite().all() for parameter in weights.parameters())


def test_advice_names_only_fields_that_there_are():
    """Whatever the method, each remedy is a field of its configuration or of the training arguments."""
    for name in METHODS:
        model, findings = build_model(name), {}
        for arguments in ({"fp16": False, "base_learning_rate": 0.3}, {"fp16": True, "warmup_steps": 5}):
            args = SSLTrainingArguments(use_cpu=True, **arguments | {"fp16": False})
            args.fp16 = arguments["fp16"]
            doctor = Doctor(patience=1)
            doctor.observe(torch.ones(16, 4))
            healthy = {"loss": 2.0, "uniform_loss": 2.0, "embedding_rank": 1.0}
            state, control = TrainerState(global_step=7, max_steps=9), TrainerControl()
            for logs in (healthy, healthy, {"loss": float("inf")}):
                doctor.on_log(args, state, control, model=model, logs=logs, train_dataloader=None)
            assert control.should_training_stop and ("bf16" in doctor.findings["nan"]) == args.fp16
            findings |= doctor.findings
        known = {*model.config.to_dict(), *vars(args)}
        advised = set(re.findall(r"(\w+) (?:may be 1 )?\(now ", " ".join(findings.values())))
        assert advised and advised <= known, (name, advised - known)
        assert ("center_momentum" in advised) == ("center_momentum" in model.config.to_dict())
        assert "base_learning_rate (now 0.3)" in findings["uniform"] or "learning_rate (now" in findings["uniform"]


@pytest.mark.parametrize(("images", "batch", "raised"), [(20, 16, False), (20, 8, True)])
def test_the_batch_is_not_to_exceed_the_images(images, batch, raised, tmp_path):
    trainer = build_trainer("simclr", "vit", tmp_path, per_device_train_batch_size=batch)
    trainer.doctor.patience = 1
    trainer.doctor.observe(torch.ones(16, 4))
    trainer.doctor.on_log(
        *(trainer.args, trainer.state, trainer.control),
        model=trainer.model,
        logs={"loss": 1.0, "embedding_rank": 1.0},
        train_dataloader=trainer.get_train_dataloader(),
    )
    assert len(trainer.train_dataset) == images
    assert (f"per_device_train_batch_size (now {batch})" in trainer.doctor.findings["rank"]) == raised


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
    assert images() and build_model("mae").min_batch_size == 1
