"""What all tests share: tiny models from `hf_ssl.testing`, tiny data, and a Hub."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # what needs a GPU is in tests/gpu, see test_gpu.py

import pytest
import torch
from huggingface_hub import constants

from hf_ssl.data import TensorImages
from hf_ssl.hub import export_pretrained
from hf_ssl.registry import METHODS
from hf_ssl.testing import BACKBONES, IMAGES, backbones_of, build_model, build_processor, build_views

from .hub_server import HubServer
from .hub_server.client import settings

__all__ = [
    "BACKBONES",
    "CASES",
    "IMAGES",
    "build_model",
    "build_processor",
    "build_views",
    "export_tiny",
    "tiny_config",
]

torch.set_num_threads(1)  # tiny tensors: a second thread only waits

CASES = [(method, backbone) for method in METHODS.built_in for backbone in backbones_of(method)]


def tiny_config(method: str) -> dict:
    """Fields of a method's configuration that make its heads small."""
    return METHODS[method].recipes["tiny"].config_for(IMAGES)


def export_tiny(method: str, folder):
    """A repository of a small model, with the shortest card."""
    card = "---\nlicense: mit\n---\n\n# card\n"
    return export_pretrained(build_model(method).eval(), build_processor(method), folder, card=card)


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
