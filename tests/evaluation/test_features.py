import pytest
import torch
from PIL import Image
from transformers import (
    AutoModel,
    CLIPConfig,
    IJepaConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
    ViTMAEConfig,
    ViTMAEForPreTraining,
    ViTModel,
    ViTMSNConfig,
)

from hf_ssl.data import decode_image
from hf_ssl.evaluation import Features, extract_features, preprocess

from .evaluation_cases import CONFIGS, Images


@pytest.mark.parametrize("name", CONFIGS)
def test_every_architecture_gives_its_pooler_output(name, processor):
    config, dim = CONFIGS[name]
    model = AutoModel.from_config(config)
    dataset = Images(5)
    features = extract_features(model, processor, dataset, batch_size=2)
    assert features.embeddings.shape == (5, dim)
    assert features.embeddings.dtype == torch.float32 and features.embeddings.device.type == "cpu"
    assert features.labels.tolist() == [0, 1, 0, 1, 0] and features.labels.dtype == torch.long
    with torch.no_grad():
        pixels = processor(images=[i.permute(1, 2, 0).numpy() for i in dataset.images], return_tensors="pt")
        expected = model.eval()(**pixels).pooler_output.flatten(1)
    torch.testing.assert_close(features.embeddings, expected)


def test_models_without_pooler_take_cls_where_the_class_has_one_or_else_the_mean(processor):
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32, "patch_size": 8}
    pixels = torch.randn(3, 3, 32, 32)
    vit = ViTModel(CONFIGS["vit"][0], add_pooling_layer=False)
    for model, cls in (
        (vit, True),
        (AutoModel.from_config(ViTMSNConfig(**small)), False),
        (AutoModel.from_config(IJepaConfig(**small)), False),
    ):
        with torch.no_grad():
            hidden = model.eval()(pixels).last_hidden_state
        expected = hidden[:, 0] if cls else hidden.mean(1)
        torch.testing.assert_close(extract_features(model, None, pixels).embeddings, expected)


def test_image_text_model_uses_its_image_side():
    vision = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    text = {**vision, "vocab_size": 50, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    config = CLIPConfig(
        vision_config={**vision, "image_size": 32, "patch_size": 8}, text_config=text, projection_dim=24
    )
    model = AutoModel.from_config(config)
    assert extract_features(model, None, torch.randn(3, 3, 32, 32)).embeddings.shape == (3, 24)
    assert extract_features(model, None, torch.randn(3, 3, 48, 48)).embeddings.shape == (3, 24)


def test_heads_and_random_masks_are_refused():
    vit, pixels = CONFIGS["vit"][0], torch.randn(2, 3, 32, 32)
    with pytest.raises(ValueError, match="base_model"):
        extract_features(ViTForImageClassification(vit), None, pixels)
    mae = ViTMAEConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8)
    mae.update({"decoder_num_hidden_layers": 1, "decoder_hidden_size": 32, "decoder_num_attention_heads": 2})
    with pytest.raises(ValueError, match="pretraining head"):
        extract_features(ViTMAEForPreTraining(mae), None, pixels)
    with pytest.raises(ValueError, match="random"):
        extract_features(AutoModel.from_config(mae), None, pixels)
    mae.mask_ratio = 0.0
    assert extract_features(AutoModel.from_config(mae), None, pixels).embeddings.shape == (2, 32)


def test_modes_and_gradients_are_restored(processor):
    model = AutoModel.from_config(CONFIGS["resnet"][0]).train()
    model.embedder.eval()
    before = {name: module.training for name, module in model.named_modules()}
    statistics = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = extract_features(model, processor, Images(4))
    assert {name: module.training for name, module in model.named_modules()} == before
    assert all(torch.equal(buffer, statistics[name]) for name, buffer in model.named_buffers())
    assert not features.embeddings.is_inference() and not features.embeddings.requires_grad
    torch.testing.assert_close(features.embeddings, extract_features(model, processor, Images(4)).embeddings)
    with pytest.raises(ValueError, match="head"):
        extract_features(ViTForImageClassification(CONFIGS["vit"][0]).train(), processor, Images(2))


def test_half_precision_model_gives_float32(processor):
    model = AutoModel.from_config(CONFIGS["vit"][0]).to(torch.bfloat16)
    assert extract_features(model, processor, Images(2)).embeddings.dtype == torch.float32


def test_ragged_and_grey_images(processor):
    dataset = Images(6, channels=1, sizes=(20, 33, 48))
    model = AutoModel.from_config(CONFIGS["vit"][0])
    pixels = preprocess(processor, dataset, batch_size=4)
    assert pixels.shape == (6, 3, 32, 32)
    torch.testing.assert_close(pixels[:, 0], pixels[:, 2])  # mean and deviation 0.5 in all channels
    direct = extract_features(model, processor, dataset, batch_size=3)
    cached = extract_features(model, None, pixels, batch_size=4, labels=dataset.labels)
    torch.testing.assert_close(direct.embeddings, cached.embeddings)
    assert torch.equal(direct.labels, cached.labels)


def test_grey_encoder_keeps_one_channel():
    config = CONFIGS["vit"][0].__class__(**{**CONFIGS["vit"][0].to_dict(), "num_channels": 1})
    processor = ViTImageProcessorPil(size={"height": 32, "width": 32}, image_mean=[0.5], image_std=[0.5])
    model = AutoModel.from_config(config)
    assert extract_features(model, processor, Images(2, channels=1)).embeddings.shape == (2, 32)
    colour = [sample["image"] for sample in Images(2, channels=3)]  # becomes luminance
    pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()).convert("L") for image in colour]
    expected = extract_features(model, processor, [{"image": decode_image(picture, 1)} for picture in pictures])
    found = extract_features(model, processor, [{"image": image} for image in colour])
    assert torch.equal(found.embeddings, expected.embeddings)
    with pytest.raises(ValueError, match="4 channels"):
        preprocess(processor, Images(2, channels=4))


def test_a_side_of_three_pixels_is_not_taken_for_the_channels(processor):
    stripes = torch.arange(3, dtype=torch.uint8)[None, None] * 100  # one row: dark, middle, bright
    pixels = preprocess(processor, [{"image": stripes.expand(3, 3, 3)}, {"image": stripes.expand(1, 3, 3)}])
    assert torch.equal(pixels[0], pixels[1]) and (pixels[0, :, :, 0] < pixels[0, :, :, -1]).all()
    assert torch.equal(pixels[0, 0], pixels[0, 2])


def test_other_image_size_than_the_encoder_interpolates_positions():
    processor = ViTImageProcessorPil(size={"height": 48, "width": 48})
    model = AutoModel.from_config(CONFIGS["vit"][0])
    assert extract_features(model, processor, Images(2)).embeddings.shape == (2, 32)


def test_clear_errors(processor):
    model = AutoModel.from_config(CONFIGS["vit"][0])
    for empty in (Images(0), torch.empty(0, 3, 32, 32)):
        with pytest.raises(ValueError, match="empty"):
            extract_features(model, processor, empty)
    floats = Images(2)
    floats.images = [image / 255 for image in floats.images]
    with pytest.raises(ValueError, match="uint8"):
        extract_features(model, processor, floats)
    with pytest.raises(ValueError, match="different sizes|differ in size"):
        preprocess(ViTImageProcessorPil(do_resize=False), Images(4, sizes=(32, 40)))
    with pytest.raises(ValueError, match="differ in size"):
        preprocess(ViTImageProcessorPil(do_resize=False), Images(4, sizes=(32, 40)), batch_size=1)
    with pytest.raises(ValueError, match="labels of shape"):
        Features(torch.zeros(3, 2), torch.zeros(2))
    with pytest.raises(ValueError, match="samples, dim"):
        Features(torch.zeros(3))
    assert extract_features(model, processor, Images(2, labelled=False)).labels is None
