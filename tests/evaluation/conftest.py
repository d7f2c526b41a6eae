import pytest
import torch
from transformers import ViTImageProcessorPil


@pytest.fixture
def processor():
    return ViTImageProcessorPil(size={"height": 32, "width": 32})


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
