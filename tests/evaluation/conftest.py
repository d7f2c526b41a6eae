import pytest
from transformers import ViTImageProcessorPil


@pytest.fixture
def processor():
    return ViTImageProcessorPil(size={"height": 32, "width": 32})
