"""One quantity, one field: what the user sets beats the recipe or is refused, and the optimizer shows it."""

import dataclasses
import json
import pickle

import pytest
import torch
from transformers import TrainerCallback

from hf_ssl.data import as_image_dataset
from hf_ssl.nn.schedules import cosine
from hf_ssl.registry import METHODS
from hf_ssl.training import SSLTrainer, SSLTrainingArguments, describe, merge_arguments

from ..conftest import build_model, build_processor
from .test_resume import build_trainer, images

PAPER = {method: METHODS[method].recipes["paper"].training for method in METHODS}
RECIPES = [(method, name) for method, row in METHODS.items() for name in row.recipes]


def arguments_of(folder, **values):
    return SSLTrainingArguments(output_dir=str(folder), use_cpu=True, disable_tqdm=True, **values)


def trainer_of(folder, recipe, explicit, **options):
    values = merge_arguments({**recipe, "per_device_train_batch_size": 4, "eval_strategy": "no"}, explicit)
    args = arguments_of(folder, **values)
    data = options.pop("train_dataset", images())
    return SSLTrainer(build_model("simclr"), args, build_processor("simclr"), train_dataset=data, **options)


def optimizer_of(trainer, steps=100):
    trainer.create_optimizer_and_scheduler(steps)
    return trainer.optimizer


# (recipe, what the user sets, class of the optimizer, learning rate of the weights at its peak, weight decay)
MERGED = [
    ("simclr", {}, "LARS", 0.3 * 4 / 256, 1e-6),
    ("simclr", {"learning_rate": 1e-5}, "LARS", 1e-5, 1e-6),
    ("simclr", {"learning_rate": 1e-5, "optim": "adamw_torch"}, "AdamW", 1e-5, 1e-6),
    ("simclr", {"optim": "sgd", "optim_args": "momentum=0.5"}, "SGD", 0.3 * 4 / 256, 1e-6),
    ("simclr", {"lars": False}, "AdamW", 0.3 * 4 / 256, 1e-6),
    ("simclr", {"base_learning_rate": 0.6}, "LARS", 0.6 * 4 / 256, 1e-6),
    ("simclr", {"base_learning_rate": 0.6, "gradient_accumulation_steps": 2}, "LARS", 0.6 * 8 / 256, 1e-6),
    ("simclr", {"lars_momentum": 0.8, "weight_decay": 0.5}, "LARS", 0.3 * 4 / 256, 0.5),
    ("moco_v2", {"lars": True}, "LARS", 0.03 * 4 / 256, 1e-4),
    ("moco_v2", {"optim": "adamw_torch"}, "AdamW", 0.03 * 4 / 256, 1e-4),
    ("mae", {"learning_rate": 1e-3}, "AdamW", 1e-3, 0.05),
    ("mae", {"optim": "sgd"}, "SGD", 1.5e-4 * 4 / 256, 0.05),
    ("dino", {"weight_decay": 0.1}, "AdamW", 5e-4 * 4 / 256, 0.1),
]


@pytest.mark.parametrize(("method", "explicit", "optimizer", "rate", "decay"), MERGED, ids=str)
def test_the_word_of_the_user_reaches_the_optimizer(method, explicit, optimizer, rate, decay, tmp_path):
    trainer = trainer_of(tmp_path, PAPER[method], explicit)
    made = optimizer_of(trainer)
    assert type(made).__name__ == optimizer
    assert made.param_groups[0]["initial_lr"] == pytest.approx(rate)
    assert made.param_groups[0]["weight_decay"] == pytest.approx(decay)
    effective = trainer.effective()
    assert (effective["optimizer"], effective["weight_decay"]) == (optimizer, decay)
    assert effective["learning_rate"] == pytest.approx(rate)


@pytest.mark.parametrize(
    ("recipe", "explicit", "merged"),
    [
        ({"base_learning_rate": 0.3}, {"learning_rate": 1e-5}, {"learning_rate": 1e-5}),
        ({"learning_rate": 1e-3}, {"base_learning_rate": 0.3}, {"base_learning_rate": 0.3}),
        ({"lars": True, "lars_momentum": 0.8}, {"optim": "adamw_torch"}, {"optim": "adamw_torch"}),
        ({"optim": "sgd", "optim_args": "momentum=0.9"}, {"lars": True}, {"lars": True}),
        ({"optim": "sgd", "optim_args": "momentum=0.9"}, {"optim": "adamw_torch"}, {"optim": "adamw_torch"}),
        ({"adam_beta2": 0.95}, {"optim": "sgd"}, {"optim": "sgd"}),
        ({"adam_beta2": 0.95}, {"optim": "adamw_torch"}, {"optim": "adamw_torch", "adam_beta2": 0.95}),
        ({"min_learning_rate": 1e-6}, {"lr_scheduler_type": "linear"}, {"lr_scheduler_type": "linear"}),
        (
            {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr_rate": 0.1}},
            {"min_learning_rate": 1e-6},
            {"min_learning_rate": 1e-6},
        ),
        (
            {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr_rate": 0.1}},
            {"lr_scheduler_type": "linear"},
            {"lr_scheduler_type": "linear"},
        ),
        ({"warmup_steps": 0.05}, {"warmup_epochs": 2}, {"warmup_epochs": 2}),
        ({"warmup_epochs": 2}, {"warmup_steps": 50}, {"warmup_steps": 50}),
        ({"warmup_epochs": 2}, {"warmup_steps": 0}, {"warmup_steps": 0}),
        ({"warmup_epochs": 2}, {"lr_scheduler_type": "constant"}, {"lr_scheduler_type": "constant"}),
        ({"weight_decay": 0.04, "final_weight_decay": 0.4}, {"weight_decay": 0.1}, {"weight_decay": 0.1}),
        (
            {"weight_decay": 0.04, "final_weight_decay": 0.4},
            {"final_weight_decay": 0.2},
            {"weight_decay": 0.04, "final_weight_decay": 0.2},
        ),
        ({"max_parameter_grad_norm": 3.0}, {"max_grad_norm": 1.0}, {"max_grad_norm": 1.0}),
        ({"max_grad_norm": 1.0}, {"max_parameter_grad_norm": 3.0}, {"max_parameter_grad_norm": 3.0}),
        ({"max_parameter_grad_norm": 3.0}, {"max_grad_norm": 0.0}, {"max_grad_norm": 0.0}),
        ({"num_train_epochs": 9}, {"max_steps": 50}, {"max_steps": 50}),
        ({"max_steps": 50}, {"num_train_epochs": 9}, {"num_train_epochs": 9}),
        (
            {"num_train_epochs": 100, "warmup_epochs": 10},
            {"max_steps": 50},
            {"max_steps": 50, "warmup_epochs": 0.0, "warmup_steps": 0.1},
        ),
        (
            {"num_train_epochs": 100, "warmup_epochs": 10},
            {"num_train_epochs": 5},
            {"num_train_epochs": 5, "warmup_epochs": 0.5},
        ),
        (
            {"num_train_epochs": 100, "warmup_epochs": 10},
            {"num_train_epochs": 400},
            {"num_train_epochs": 400, "warmup_epochs": 10},
        ),
        ({"eval_strategy": "steps", "eval_steps": 0.5}, {"eval_strategy": "epoch"}, {"eval_strategy": "epoch"}),
        ({"eval_strategy": "no"}, {"eval_steps": 20}, {"eval_strategy": "steps", "eval_steps": 20}),
        ({"save_strategy": "epoch"}, {"save_steps": 20}, {"save_strategy": "steps", "save_steps": 20}),
        ({"logging_steps": 25}, {"logging_strategy": "epoch"}, {"logging_strategy": "epoch"}),
        ({"bf16": True}, {"fp16": True}, {"fp16": True}),
        ({"bf16": True}, {"fp16": False}, {"bf16": True, "fp16": False}),
        ({"online_knn_images": 2000}, {"online_knn": False}, {"online_knn": False}),
        ({"num_train_epochs": 9}, {"max_steps": -1}, {"num_train_epochs": 9, "max_steps": -1}),
    ],
    ids=str,
)
def test_explicit_arguments_take_the_place_of_the_other_names(recipe, explicit, merged, tmp_path):
    assert merge_arguments(recipe, explicit) == merged
    arguments_of(tmp_path, **merged)


@pytest.mark.parametrize(
    ("explicit", "warned"),
    [({"optim": "adamw_torch"}, True), ({"optim": "adamw_torch", "learning_rate": 1e-3}, False), ({}, False)],
    ids=str,
)
def test_a_learning_rate_for_another_optimizer_is_pointed_out(explicit, warned, monkeypatch):
    said = []
    monkeypatch.setattr("hf_ssl.training.arguments.logger.warning", said.append)
    merge_arguments(PAPER["simclr"], explicit)
    assert (
        said
        == ["base_learning_rate=0.3 of the recipe was chosen for another optimizer: set learning_rate too."] * warned
    )


CONFLICTS = [
    {"learning_rate": 1e-5, "base_learning_rate": 0.3},
    {"lr_scheduler_type": "linear", "min_learning_rate": 1e-6},
    {"lr_scheduler_kwargs": {"min_lr_rate": 0.1}, "min_learning_rate": 1e-6},
    {"warmup_steps": 10, "warmup_epochs": 1},
    {"optim": "sgd", "lars": True},
    {"optim_args": "momentum=0.9", "lars": True},
    {"adam_beta2": 0.95, "lars": True},
    {"max_grad_norm": 1.0, "max_parameter_grad_norm": 3.0},
    {"num_train_epochs": 5, "max_steps": 10},
    {"bf16": True, "fp16": True},
    {"bf16_full_eval": True, "fp16_full_eval": True},
]
# Values that are the defaults: a command line tells them from what nobody set.
EXPLICIT_DEFAULTS = [
    {"learning_rate": 5e-5, "base_learning_rate": 0.3},
    {"optim": "adamw_torch_fused", "lars": True},
    {"num_train_epochs": 3.0, "max_steps": 10},
    {"optim": "sgd", "lars_momentum": 0.9},
]


@pytest.mark.parametrize("values", CONFLICTS + EXPLICIT_DEFAULTS, ids=str)
def test_two_names_of_one_quantity_are_refused(values, tmp_path):
    refusals = [lambda: merge_arguments({}, values)]
    if values in CONFLICTS:
        refusals.append(lambda: arguments_of(tmp_path, **values))
    for refuse in refusals:
        with pytest.raises(ValueError, match="both set") as raised:
            refuse()
        assert all(f"{name}=" in str(raised.value) for name in values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lars_momentum": 0.8}, "lars_momentum=0.8 has no effect with lars=False"),
        ({"lars_trust_coefficient": 0.02}, "set lars=True"),
        ({"optim": "sgd", "adam_beta2": 0.95}, "adam_beta2=0.95 has no effect with optim='sgd'"),
        ({"optim_args": "momentum=0.9"}, "optim='adamw_torch_fused' does not take"),
        ({"optim": "sgd", "optim_args": "momentm=0.9"}, "it takes momentum"),
        ({"optim": "sgd", "optim_args": "momentum"}, "no list of NAME=VALUE"),
        ({"optim": "sgd", "optim_args": "weight_decay=0.1"}, "it takes momentum, dampening, nesterov"),
        ({"lr_scheduler_type": "cosine_with_min_lr"}, "needs min_lr or min_lr_rate"),
        ({"lr_scheduler_type": "constant", "warmup_epochs": 1}, "constant_with_warmup"),
        ({"lr_scheduler_type": "constant", "warmup_steps": 5}, "constant_with_warmup"),
        ({"lr_scheduler_kwargs": {"min_lr": 1e-6}}, "lr_scheduler_type='cosine' does not take: it takes num_cycles"),
        ({"lr_scheduler_kwargs": '{"min_lr": 1e-6}'}, "it takes num_cycles"),
        ({"lr_scheduler_type": "warmup_stable_decay"}, "needs num_decay_steps in lr_scheduler_kwargs"),
        ({"lr_scheduler_kwargs": {"num_cycles": "many"}}, "does not suit lr_scheduler_type='cosine'"),
        ({"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"lr_end": 2.0}}, "does not suit"),
        ({"eval_steps": 10}, "set eval_strategy='steps'"),
        ({"save_strategy": "epoch", "save_steps": 10}, "save_strategy='epoch'"),
        ({"logging_strategy": "no", "logging_steps": 5}, "logging_strategy='no'"),
        ({"online_knn": False, "online_knn_images": 100}, "set online_knn=True"),
    ],
    ids=str,
)
def test_what_would_have_no_effect_is_refused(values, message, tmp_path):
    with pytest.raises(ValueError) as raised:
        arguments_of(tmp_path, **values)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_names_that_do_not_exist_are_refused():
    for name, nearest in (("learning_rat", "learning_rate"), ("derived", ""), ("steps_per_epoch", "")):
        with pytest.raises(ValueError, match=f"no training argument '{name}'.*{nearest}"):
            merge_arguments({}, {name: 1})


@pytest.mark.parametrize(("method", "name"), RECIPES)
def test_arguments_can_be_made_again(method, name, tmp_path):
    values = METHODS[method].recipes[name].training
    first = arguments_of(tmp_path, **values, gradient_accumulation_steps=2)
    for again in (
        dataclasses.replace(first),
        SSLTrainingArguments(**first.to_dict()),
        SSLTrainingArguments(**json.loads(json.dumps(first.to_dict()))),
        pickle.loads(pickle.dumps(first)),
    ):
        assert again.to_dict() == first.to_dict()
    other = dataclasses.replace(first, per_device_train_batch_size=6)
    base = first.base_learning_rate
    assert other.learning_rate == (first.learning_rate if base is None else base * 12 / 256)
    for one in (first, other):
        merged = merge_arguments(values, {"learning_rate": 0.125})
        assert dataclasses.replace(one, base_learning_rate=None, learning_rate=0.125).learning_rate == 0.125
        assert arguments_of(tmp_path, **merged).learning_rate == 0.125


def test_what_followed_is_not_taken_for_set(tmp_path):
    first = arguments_of(tmp_path, min_learning_rate=1e-6, eval_strategy="steps", max_parameter_grad_norm=3.0)
    assert first.lr_scheduler_type == "cosine_with_min_lr" and first.eval_steps == first.logging_steps == 10
    changed = {"min_learning_rate": None, "lr_scheduler_type": "linear", "eval_strategy": "no"}
    other = dataclasses.replace(first, **changed, max_parameter_grad_norm=None, max_grad_norm=1.0)
    assert other.lr_scheduler_kwargs is None and other.eval_steps is None and other.max_grad_norm == 1.0
    assert dataclasses.replace(first, min_learning_rate=1e-4).lr_scheduler_kwargs == {"min_lr": 1e-4}
    assert dataclasses.replace(first, max_parameter_grad_norm=2.0).max_grad_norm == 2.0


class Rates(TrainerCallback):
    """Learning rate and what the hooks get, at every step."""

    def __init__(self):
        self.rates, self.hooks = [], []

    def on_train_begin(self, args, state, control, model, **kwargs):
        model.on_step_begin = lambda step, total: self.hooks.append((step, total))

    def on_pre_optimizer_step(self, args, state, control, optimizer, **kwargs):
        self.rates.append(optimizer.param_groups[0]["lr"])


# 20 images, batches of 4: 5 batches an epoch.
@pytest.mark.parametrize(
    ("values", "warmup", "steps"),
    [
        ({"num_train_epochs": 4, "warmup_epochs": 1}, 5, 20),
        ({"num_train_epochs": 4, "warmup_epochs": 1, "gradient_accumulation_steps": 2}, 3, 12),
        ({"num_train_epochs": 0.5, "warmup_epochs": 0.2}, 1, 3),
        ({"max_steps": 12, "warmup_epochs": 1}, 5, 12),
        ({"max_steps": 12, "warmup_epochs": 1, "gradient_accumulation_steps": 2}, 3, 12),
        ({"max_steps": 3, "warmup_epochs": 1}, 2, 3),  # some step must have the peak
        ({"max_steps": 2, "warmup_steps": 5}, 1, 2),
        ({"max_steps": 1, "warmup_epochs": 1}, 0, 1),
        ({"max_steps": 12, "warmup_steps": 0.25}, 3, 12),
        ({"max_steps": 12, "warmup_steps": 4, "gradient_accumulation_steps": 5}, 4, 12),
        ({"num_train_epochs": 3, "warmup_epochs": 1, "per_device_train_batch_size": 6}, 3, 9),
        (
            {
                "num_train_epochs": 3,
                "warmup_epochs": 1,
                "per_device_train_batch_size": 6,
                "dataloader_drop_last": False,
            },
            4,
            12,
        ),
    ],
    ids=str,
)
def test_warmup_and_schedule_count_the_steps_of_the_trainer(values, warmup, steps, tmp_path):
    seen = Rates()
    values = {"per_device_train_batch_size": 4, "min_learning_rate": 1e-4, "learning_rate": 1e-2, **values}
    args = arguments_of(tmp_path, save_strategy="no", weight_decay=0.1, final_weight_decay=0.4, **values)
    trainer = SSLTrainer(build_model("mae"), args, build_processor("mae"), train_dataset=images(), callbacks=[seen])
    effective = trainer.effective()
    assert (effective["warmup_steps"], effective["steps"]) == (warmup, steps)
    trainer.train()
    assert trainer.state.global_step == trainer.state.max_steps == steps == len(seen.rates)
    assert seen.hooks == [(step, steps) for step in range(steps)]
    assert seen.rates[:warmup] == pytest.approx([1e-2 * i / warmup for i in range(warmup)])
    if warmup < steps:  # one step more would be the end of both schedules
        assert seen.rates[warmup] == pytest.approx(1e-2) and seen.rates[-1] > 1e-4
        assert trainer.lr_scheduler.get_last_lr()[0] == pytest.approx(1e-4)
    assert trainer.optimizer.param_groups[0]["weight_decay"] == pytest.approx(cosine(steps - 1, steps, 0.1, 0.4))


@pytest.fixture
def stream():
    class Pixels(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter([images()[i]["image"] for i in range(9)])

    return as_image_dataset(Pixels())


def test_a_stream_has_no_epochs_to_warm_up(stream, tmp_path):
    with pytest.raises(ValueError, match="warmup_epochs=1 needs data with a length.*set warmup_steps"):
        trainer_of(tmp_path, {}, {"max_steps": 10, "warmup_epochs": 1}, train_dataset=stream)
    trainer = trainer_of(
        tmp_path, {"num_train_epochs": 100, "warmup_epochs": 10}, {"max_steps": 20}, train_dataset=stream
    )
    effective = trainer.effective()
    assert (effective["warmup_steps"], effective["steps"], effective["epochs"]) == (2, 20, None)


def test_gradients_are_clipped_one_parameter_at_a_time(tmp_path):
    norms = []

    class Norms(TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, model, **kwargs):
            norms.extend(p.grad.norm().item() for p in model.parameters() if p.grad is not None)

    for limit in (None, 1e-4):
        norms.clear()
        trainer = build_trainer(
            "simclr", "vit", tmp_path, callbacks=[Norms()], max_steps=1, max_parameter_grad_norm=limit
        )
        trainer.train()
        assert (max(norms) > 1e-4 * 1.01) == (limit is None)


def test_what_follows_is_said_in_one_line(tmp_path):
    trainer = trainer_of(
        tmp_path, PAPER["dino"], {"num_train_epochs": 20, "bf16": True, "gradient_accumulation_steps": 2}
    )
    effective = trainer.effective()
    assert effective["final_weight_decay"] == 0.4 and effective["steps_per_epoch"] == 3
    assert describe(effective) == (
        "AdamW, learning rate 1.56e-05 to 1e-06 (cosine, 2 steps of warm-up), weight decay 0.04 to 0.4, bfloat16"
    )


def test_an_optimizer_of_the_users_own(tmp_path):
    model = build_model("simclr")
    own = torch.optim.SGD(model.parameters(), lr=0.25, weight_decay=0.5)

    def build(**values):
        args = arguments_of(tmp_path, per_device_train_batch_size=4, max_steps=2, save_strategy="no", **values)
        return SSLTrainer(model, args, build_processor("simclr"), train_dataset=images(), optimizers=(own, None))

    for name, value in {
        "lars": True,
        "final_weight_decay": 0.4,
        "base_learning_rate": 1,
        "bias_lr_ratio": 0.5,
    }.items():
        with pytest.raises(ValueError, match=f"{name} has no effect on the optimizer in optimizers"):
            build(**{name: value})
    trainer = build()
    trainer.train()
    effective = trainer.effective()
    assert [effective[key] for key in ("optimizer", "learning_rate", "weight_decay")] == ["SGD", 0.25, 0.5]
