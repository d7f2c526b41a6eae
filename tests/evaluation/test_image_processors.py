"""An encoder that was saved without an image processor gets one that fits, and a sentence says which."""

import shutil

import pytest
import torch
from transformers import (
    AutoImageProcessor,
    AutoModel,
    CLIPVisionConfig,
    ConvNextConfig,
    Dinov2Config,
    ResNetConfig,
    ViTConfig,
    ViTImageProcessorPil,
)

from hf_ssl.evaluation import extract_features, find_image_processor
from hf_ssl.hub import export_pretrained
from hf_ssl.loading import load_encoder

from ..conftest import build_model, build_processor
from .evaluation_cases import Images

VIT = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "patch_size": 8}
RESNET = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
CASES = {  # name -> (config, what the processor gives, what is said)
    "ViT": (ViTConfig(**VIT, image_size=32), (3, 32, 32), "RGB images, resized and cropped to 32x32 pixels"),
    "gray ViT": (ViTConfig(**VIT, image_size=32, num_channels=1), (1, 32, 32), "gray images"),
    "not square": (ViTConfig(**VIT, image_size=[32, 48]), (3, 32, 48), "cropped to 32x48 pixels"),
    "DINOv2": (Dinov2Config(**VIT, image_size=40), (3, 40, 40), "40x40"),
    "CLIP, image side": (CLIPVisionConfig(**VIT, image_size=32), (3, 32, 32), "32x32"),
    "ConvNeXt": (ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2), (3, 224, 224), "224x224"),
    "ResNet": (ResNetConfig(**RESNET), (3, 224, 224), "224x224"),
    "gray ResNet": (ResNetConfig(**RESNET, num_channels=1), (1, 224, 224), "gray images, resized and cropped"),
}


@pytest.mark.parametrize("name", CASES)
def test_one_that_fits_the_config(name, tmp_path):
    config, shape, said = CASES[name]
    model = AutoModel.from_config(config)
    model.save_pretrained(tmp_path)
    processor, assumed = find_image_processor(model, str(tmp_path))
    assert said in assumed and str(tmp_path) in assumed and "--image-processor" in assumed
    assert "ImageNet" in assumed and len(processor.image_mean) == shape[0]
    images = Images(2, channels=shape[0], sizes=(30, 50))
    pixels = processor(images=[image.permute(1, 2, 0).numpy() for image in images.images], return_tensors="pt")
    assert tuple(pixels["pixel_values"].shape[1:]) == shape
    assert extract_features(model, processor, images).embeddings.isfinite().all()


def test_its_own_comes_first(tmp_path):
    model = AutoModel.from_config(CASES["ViT"][0])
    ViTImageProcessorPil(size={"height": 24, "width": 24}).save_pretrained(tmp_path)
    processor, assumed = find_image_processor(model, str(tmp_path))
    assert processor.size["height"] == 24 and assumed is None
    (tmp_path / "preprocessor_config.json").write_text("[1")
    with pytest.raises(ValueError, match="no image processor that can be used here"):
        find_image_processor(model, str(tmp_path))


def test_then_that_of_the_same_run(tmp_path):
    folder = export_pretrained(build_model("simclr").eval(), build_processor("simclr"), tmp_path / "run")
    images = torch.randint(0, 256, (1, 3, 40, 36), dtype=torch.uint8)
    expected = AutoImageProcessor.from_pretrained(folder)(images=images[0], return_tensors="pt")["pixel_values"]

    def found(place, subfolder=""):
        model = load_encoder(str(place), subfolder=subfolder)
        processor, assumed = find_image_processor(model, str(place), subfolder=subfolder)
        torch.testing.assert_close(processor(images=images[0], return_tensors="pt")["pixel_values"], expected)
        return assumed

    assert found(folder) is None
    shutil.move(folder / "preprocessor_config.json", tmp_path / "kept.json")
    assert f"that of {folder / 'pretraining'} is taken" in found(folder)
    (folder / "pretraining" / "preprocessor_config.json").unlink()
    shutil.move(tmp_path / "kept.json", folder / "preprocessor_config.json")
    for place in ((folder, "pretraining"), (folder / "pretraining",)):
        assert f"that of {folder} is taken" in found(*place)
