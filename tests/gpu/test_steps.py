"""A step on the device is that of the CPU: loss, gradients, compiled layers, bfloat16, channels side by side."""

import copy

import pytest
import torch
from transformers.modeling_layers import GradientCheckpointingLayer

from hf_ssl.data import TensorImages
from hf_ssl.nn.drop_path import DropPath
from hf_ssl.registry import METHODS
from hf_ssl.training import SSLTrainer, SSLTrainingArguments

from ..conftest import build_model, build_processor, build_views
from . import DEVICE


def step(
    model, views: dict, device: torch.device, bf16: bool = False, compiled: bool = False
) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of a copy of the model."""
    model = copy.deepcopy(model).to(device).train()
    for layer in model.modules():
        if isinstance(layer, DropPath):
            layer.probability = 0.0  # the devices would draw other layers
        if compiled and isinstance(layer, GradientCheckpointingLayer):
            layer.compile()
    model.on_step_begin(0, 10)
    torch.manual_seed(0)
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        loss = model(**{name: value.to(device) for name, value in views.items()}).loss
    loss.backward()
    return loss.item(), {n: p.grad.cpu() for n, p in model.named_parameters() if p.grad is not None}


def close(here, there, loss_tolerance: float, tolerance: float) -> None:
    assert there[0] == pytest.approx(here[0], rel=loss_tolerance, abs=loss_tolerance)
    assert here[1].keys() == there[1].keys()
    scale = max(gradient.abs().max() for gradient in here[1].values())
    for name, gradient in here[1].items():
        assert (there[1][name] - gradient).abs().max() <= tolerance * scale, name


@pytest.mark.parametrize("method", METHODS)
def test_every_method(method):
    model, views = build_model(method), build_views(method)
    close(step(model, views, torch.device("cpu")), step(model, views, DEVICE), 1e-4, 1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_bfloat16(method):
    model, views = build_model(method), build_views(method)
    here, there = step(model, views, torch.device("cpu")), step(model, views, DEVICE, bf16=True)
    assert there[0] == pytest.approx(here[0], rel=0.05, abs=0.05) and all(
        g.isfinite().all() for g in there[1].values()
    )


@pytest.mark.parametrize("backbone", ["resnet", "convnext"])
def test_channels_last(backbone):
    model, views = build_model("simclr", backbone), build_views("simclr")
    here = step(model, views, torch.device("cpu"))
    close(here, step(model.to(memory_format=torch.channels_last), views, DEVICE), 1e-4, 1e-3)


@pytest.mark.parametrize("method", ["simclr", "mae", "dino"])
def test_compiled_layers(method):
    model, views = build_model(method), build_views(method)
    close(step(model, views, torch.device("cpu")), step(model, views, DEVICE, compiled=True), 1e-4, 1e-3)


@pytest.mark.parametrize("workers", [0, 2])
def test_training_from_images_of_many_sizes(workers, tmp_path):
    class Photos(torch.utils.data.Dataset):
        def __len__(self):
            return 24

        def __getitem__(self, i):
            pixels = torch.randint(0, 256, (3, 40 + i, 60 - i), generator=torch.Generator().manual_seed(i))
            return {"image": pixels.to(torch.uint8), "index": i}

    args = SSLTrainingArguments(
        str(tmp_path),
        per_device_train_batch_size=8,
        num_train_epochs=2,
        dataloader_num_workers=workers,
        bf16=True,
        save_strategy="no",
        views_on_device=True,
    )
    trainer = SSLTrainer(build_model("simclr"), args, build_processor("simclr"), Photos())
    assert 0 < trainer.train().training_loss < 20 and trainer.state.global_step == 6
    assert next(trainer.model.parameters()).device.type == DEVICE.type


def test_resuming_gives_the_same_weights(tmp_path):
    images = TensorImages(torch.randint(0, 256, (16, 3, 32, 32), dtype=torch.uint8))

    def trainer(folder: str) -> SSLTrainer:
        args = SSLTrainingArguments(
            str(tmp_path / folder),
            per_device_train_batch_size=8,
            num_train_epochs=2,
            save_strategy="epoch",
            full_determinism=True,
        )
        return SSLTrainer(build_model("byol"), args, build_processor("byol"), images)

    whole = trainer("whole")
    whole.train()
    resumed = trainer("resumed")
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-2"))
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], value, atol=1e-6, rtol=1e-5)
