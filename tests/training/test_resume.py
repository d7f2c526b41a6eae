"""Interrupted and resumed = uninterrupted, to the last bit (T1); accumulation scales nothing (T10)."""

import pytest
import torch
from transformers import AutoModelForPreTraining, TrainerCallback

from hf_ssl.data import TensorImages
from hf_ssl.registry import METHODS
from hf_ssl.testing import Examples
from hf_ssl.training import SSLTrainer, SSLTrainingArguments

from ..conftest import CASES, IMAGES, build_model, build_processor


class StopAt(TrainerCallback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            control.should_save = control.should_training_stop = True


def images(count=IMAGES):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, 36, 36), generator=generator, dtype=torch.uint8)
    return TensorImages(pixels, labels=[i % 2 for i in range(count)])


def build_trainer(method, backbone, folder, callbacks=None, eval_dataset=None, **arguments):
    arguments = {
        "per_device_train_batch_size": 4,
        **({} if "max_steps" in arguments else {"num_train_epochs": 2}),
        "gradient_accumulation_steps": 2,
        "learning_rate": 1e-2,
        "weight_decay": 0.1,
        "final_weight_decay": 0.4,
        "warmup_epochs": 0.5,
        "save_strategy": "no",
        "logging_steps": 1,
        "use_cpu": True,
        "disable_tqdm": True,
        **arguments,
    }
    processor = build_processor(method)
    return SSLTrainer(
        build_model(method, backbone),
        SSLTrainingArguments(output_dir=str(folder), **arguments),
        processor,
        train_dataset=Examples(processor),
        eval_dataset=eval_dataset,
        callbacks=callbacks,
    )


@pytest.mark.parametrize(("method", "backbone"), CASES)
def test_resumed_equals_uninterrupted(method, backbone, tmp_path):
    whole = build_trainer(method, backbone, tmp_path / "whole")
    whole.train()
    assert whole.state.global_step == 6
    for stop in (2, 3):  # inside an epoch, and at its end
        folder = tmp_path / f"part{stop}"
        build_trainer(method, backbone, folder, callbacks=[StopAt(stop)]).train()
        resumed = build_trainer(method, backbone, folder)
        resumed.train(resume_from_checkpoint=str(folder / f"checkpoint-{stop}"))
        assert resumed.state.global_step == 6
        state = whole.model.state_dict()
        assert [n for n, t in resumed.model.state_dict().items() if not torch.equal(t, state[n])] == []
        moments = whole.optimizer.state_dict()["state"]
        for index, moment in resumed.optimizer.state_dict()["state"].items():
            assert all(torch.equal(torch.as_tensor(v), torch.as_tensor(moments[index][k])) for k, v in moment.items())
        logged = [h["loss"] for h in whole.state.log_history if "loss" in h]
        assert [h["loss"] for h in resumed.state.log_history if "loss" in h] == logged


@pytest.mark.parametrize("method", METHODS)
def test_what_a_trainer_saved_loads_again(method, tmp_path):
    """The Trainer writes into the configuration of the model that it is given."""
    trainer = build_trainer(method, None, tmp_path, max_steps=1)
    trainer.train()
    trainer.save_model()
    again, info = AutoModelForPreTraining.from_pretrained(tmp_path, output_loading_info=True)
    assert type(again) is type(trainer.model) and not info["missing_keys"] and not info["unexpected_keys"]
    state = trainer.model.state_dict()
    assert [name for name, tensor in again.state_dict().items() if not torch.equal(tensor, state[name])] == []


@pytest.mark.parametrize("method", METHODS)
def test_training_moves_the_published_encoder_and_logs(method, tmp_path):
    trainer = build_trainer(method, None, tmp_path)
    before = {k: v.clone() for k, v in trainer.model.backbone.state_dict().items()}
    trainer.train()
    assert any(not torch.equal(before[k], v) for k, v in trainer.model.backbone.state_dict().items())
    losses = [h["loss"] for h in trainer.state.log_history if "loss" in h]
    assert len(losses) == 6 and all(torch.isfinite(torch.tensor(losses)))


def test_accumulated_gradients_are_means():
    """MAE's loss has no term between images, so 1 x 8 and 2 x 4 must give the same update."""
    weights = []
    views = [dict(build_processor("mae").views(image=images(8).images, generator=torch.Generator().manual_seed(0)))]
    halves = [{k: v[i : i + 4] for k, v in views[0].items()} for i in (0, 4)]
    for batches in (views, halves):
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            trainer = build_trainer(
                "mae", "vit", folder, gradient_accumulation_steps=len(batches), num_train_epochs=1, optim="sgd",
                per_device_train_batch_size=8 // len(batches), warmup_epochs=0, lr_scheduler_type="constant",
            )  # fmt: skip
            trainer.train_dataset = [sample for batch in batches for sample in unbatch(batch)]
            trainer.data_collator = lambda samples: {k: torch.stack([s[k] for s in samples]) for k in samples[0]}
            trainer._get_train_sampler = lambda dataset: torch.utils.data.SequentialSampler(dataset)
            trainer.train()
            assert trainer.state.global_step == 1
            weights.append(trainer.model.backbone.layers[0].mlp.fc1.weight.detach().clone())
    torch.testing.assert_close(*weights, atol=1e-6, rtol=1e-5)


def unbatch(batch):
    return [{k: v[i] for k, v in batch.items()} for i in range(len(batch["pixel_values"]))]


class NoStep(TrainerCallback):
    def on_step_begin(self, args, state, control, **kwargs):
        raise AssertionError("a step that nobody asked for")


@pytest.mark.parametrize("length", [{"max_steps": 4}, {"num_train_epochs": 2}])
def test_a_checkpoint_of_the_last_step_is_taken_over_as_it_is(tmp_path, length):
    saving = {"save_strategy": "steps", "save_steps": 1, **length}
    first = build_trainer("moco_v2", "vit", tmp_path, **saving)
    first.train()
    again = build_trainer("moco_v2", "vit", tmp_path, callbacks=[NoStep()], **saving)
    assert again.train(resume_from_checkpoint=True).global_step == first.state.global_step
    assert again.state.log_history == first.state.log_history[:-1]  # without the summary of the run
    old, new = first.model.state_dict(), again.model.state_dict()
    assert old.keys() == new.keys() and all(torch.equal(old[name], new[name]) for name in old)
