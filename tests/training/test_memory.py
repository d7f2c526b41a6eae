"""How tensors lie in memory changes nothing but speed."""

import pytest
import torch

from hf_ssl.training import SSLTrainer, SSLTrainingArguments
from hf_ssl.training.memory import channels_last_pays, freed_memory_kept

from ..conftest import build_model, build_processor
from .test_resume import StopAt, build_trainer, images


def is_channels_last(model) -> bool:
    kernels = [p for p in model.parameters() if p.dim() == 4 and p.shape[1] > 1 and p.shape[2] > 1]
    return all(p.is_contiguous(memory_format=torch.channels_last) for p in kernels)


def test_the_default_asks_the_encoder_the_device_and_the_views():
    resnet, vit = build_model("simclr", "resnet"), build_model("simclr", "vit")
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert channels_last_pays(resnet, 32, gpu) and channels_last_pays(resnet, 224, cpu)
    assert not channels_last_pays(resnet, 32, cpu)
    assert not channels_last_pays(vit, 224, gpu)


def test_losses_are_the_same_and_exports_are_contiguous(tmp_path):
    losses = []
    for channels_last in (True, False):
        trainer = build_trainer("simclr", "resnet", tmp_path / str(channels_last), channels_last=channels_last)
        assert is_channels_last(trainer.model) == channels_last
        trainer.train()
        losses.append([entry["loss"] for entry in trainer.state.log_history if "loss" in entry])
        trainer.model.save_pretrained(tmp_path / "saved")
        loaded = type(trainer.model).from_pretrained(tmp_path / "saved")
        assert all(p.is_contiguous() for p in loaded.parameters())
    assert losses[0][:3] == pytest.approx(losses[1][:3], rel=1e-4)  # later ones carry the optimizer's amplification


def test_a_resumed_run_keeps_the_format(tmp_path):
    whole = build_trainer("simclr", "resnet", tmp_path / "whole", channels_last=True)
    whole.train()
    build_trainer("simclr", "resnet", tmp_path / "part", [StopAt(2)], channels_last=True).train()
    resumed = build_trainer("simclr", "resnet", tmp_path / "part", channels_last=True)
    resumed.train(resume_from_checkpoint=True)
    assert is_channels_last(resumed.model)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_large_views_turn_it_on(tmp_path):
    processor = build_processor("simclr")
    processor.view_size = 160
    args = SSLTrainingArguments(output_dir=str(tmp_path), per_device_train_batch_size=2, use_cpu=True)
    trainer = SSLTrainer(build_model("simclr", "resnet"), args, processor, train_dataset=images())
    assert is_channels_last(trainer.model)


def test_the_allocator_is_put_back_after_an_error():
    with pytest.raises(KeyError), freed_memory_kept():
        torch.zeros(2**24).add_(1)
        raise KeyError
    with freed_memory_kept():
        assert torch.ones(2**24).sum() == 2**24
