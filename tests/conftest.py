"""Tiny backbones, methods and data that all tests share."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # what needs a GPU is in tests/gpu, see test_gpu.py

import pytest
import torch
from huggingface_hub import constants
from transformers import ConvNextConfig, Dinov2Config, ResNetConfig, SwinConfig, ViTConfig

from hf_ssl.data import TensorImages
from hf_ssl.hub import export_pretrained
from hf_ssl.registry import METHODS

from .hub_server import HubServer
from .hub_server.client import settings

torch.set_num_threads(1)  # tiny tensors: a second thread only waits

BACKBONES = {
    "vit": lambda: ViTConfig(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96, image_size=32, patch_size=8
    ),
    "dinov2": lambda: Dinov2Config(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=3, image_size=32, patch_size=8, mlp_ratio=2
    ),
    "resnet": lambda: ResNetConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic"),
    "swin": lambda: SwinConfig(
        image_size=32, patch_size=2, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4
    ),
    "convnext": lambda: ConvNextConfig(hidden_sizes=[16, 32], depths=[1, 1], num_stages=2),
}
IMAGES = 20  # of the data that tiny models are trained on
# Small heads; a method that is not here is tested with its defaults.
SMALL_CONFIGS = {
    "simclr": {"projection_sizes": [32, 16]},
    "supervised": {},
    "moco_v2": {"projection_sizes": [32, 16], "queue_length": 16},
    "infomin": {"projection_sizes": [32, 16], "queue_length": 16},
    "byol": {"projection_sizes": [32, 16], "prediction_sizes": [32, 16]},
    "simsiam": {"projection_sizes": [32, 32, 16], "prediction_size": 8},
    "barlow_twins": {"projection_sizes": [32, 16]},
    "vicreg": {"projection_sizes": [32, 16]},
    "swav": {"projection_sizes": [32, 16], "num_prototypes": 24, "queue_length": 8, "queue_start_share": 0.0},
    "deepcluster_v2": {"projection_sizes": [32, 16], "num_prototypes": [8, 6, 7]},
    "dino": {"head_sizes": [32, 16], "num_prototypes": 64},
    "obow": {"vocabulary_size": 64, "kappa": 1.0},
    "mae": {
        "decoder_hidden_size": 32,
        "decoder_num_hidden_layers": 1,
        "decoder_num_attention_heads": 2,
        "decoder_intermediate_size": 64,
    },
}
SMALL_PROCESSORS = {
    "swav": {"local_crop_size": 16, "local_crops": 2},
    "deepcluster_v2": {"local_crop_size": 16, "local_crops": 2},
    "dino": {"local_crop_size": 16, "local_crops": 2},
    "infomin": {"jigsaw_size": 51, "jigsaw_patch_size": 16},
    "obow": {
        "student_crop_size": 16,
        "local_crop_size": 16,
        "local_crops": 2,
        "local_source_size": 24,
        "local_jitter": 2,
    },
    "mae": {"patch_size": 8},
}
# MAE's masks need patches that can be left out.
CASES = [(m, b) for m in METHODS for b in BACKBONES if METHODS[m].batch != "masked" or b == "vit"]


def build_model(method: str, backbone: str = "vit", seed: int = 0, **fields):
    """A tiny `...ForPreTraining` with every parameter away from its special initial value."""
    row = METHODS[method]
    torch.manual_seed(seed)
    config = row.config_class(**{**SMALL_CONFIGS.get(method, {}), **fields, "backbone_config": BACKBONES[backbone]()})
    model = row.pretraining_class(config)
    model.on_data(IMAGES)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return model


def build_processor(method: str, **attributes):
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    return METHODS[method].image_processor_class(**{**size, **SMALL_PROCESSORS.get(method, {}), **attributes})


def export_tiny(method: str, folder):
    """A repository of a small model, with the shortest card."""
    card = "---\nlicense: mit\n---\n\n# card\n"
    return export_pretrained(build_model(method).eval(), build_processor(method), folder, card=card)


def build_views(method: str, batch: int = 4, seed: int = 0):
    """A batch of training views of random images."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (batch, 3, 32, 32), generator=generator, dtype=torch.uint8)
    views = dict(build_processor(method).views(image=images, generator=generator))
    extras = {"labels": torch.arange(batch) % 2, "sample_index": torch.arange(batch)}
    return views | {name: extras[name] for name in METHODS[method].pretraining_class.data_columns}


@pytest.fixture
def random_images() -> TensorImages:
    """24 labelled random RGB images of 32 pixels."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (24, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return TensorImages(images, labels=[i % 3 for i in range(24)], label_names=["a", "b", "c"])


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub on loopback that this process talks to, with a cache of its own and a token that may write."""
    with HubServer() as server:
        for name, value in settings(server.url, str(tmp_path)).items():
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setattr("transformers.utils.hub._hf_api", None)  # it keeps the address that it was made with
        monkeypatch.setenv("HF_TOKEN", "hf_write")
        yield server
