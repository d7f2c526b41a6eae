"""CLIP (arXiv:2103.00020) beyond its loss, which tests/nn/test_losses.py covers."""

import json
import math

import pytest
import torch
from PIL import Image
from transformers import CLIPModel, CLIPTextConfig, CLIPVisionConfig, ResNetConfig

from hf_ssl import SSLCLIPConfig, SSLCLIPForPreTraining, SSLCLIPImageProcessor
from hf_ssl.hub import export_pretrained

from ..clean_process import run_clean
from ..conftest import build_model, build_processor, build_views
from ..nn.test_losses import official_clip_loss

CLEAN_PROCESS = """
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor, AutoModel, AutoModelForZeroShotImageClassification, AutoProcessor, AutoTokenizer,
    CLIPTextModelWithProjection, CLIPVisionModelWithProjection, pipeline,
)
folder = sys.argv[1]
image, captions = Image.open(f"{folder}/image.png"), ["a red dog", "Привет"]

def loaded(cls, **where):
    model, info = cls.from_pretrained(folder, output_loading_info=True, **where)
    wrong = info["missing_keys"] | info["mismatched_keys"]
    assert not wrong, wrong
    return model.eval()

whole, processor = loaded(AutoModel), AutoProcessor.from_pretrained(folder)
inputs = processor(images=image, text=captions, return_tensors="pt", padding=True)
vision, text = loaded(AutoModel, subfolder="vision"), loaded(AutoModel, subfolder="text")
alone = AutoImageProcessor.from_pretrained(folder, subfolder="vision")(image, return_tensors="pt")
tokens = AutoTokenizer.from_pretrained(folder, subfolder="text")(captions, return_tensors="pt", padding=True)
with torch.no_grad():
    outputs = whole(**inputs)
    assert torch.equal(alone["pixel_values"], inputs["pixel_values"])
    assert torch.equal(tokens["input_ids"], inputs["input_ids"])
    found = {
        "embedding": vision(**alone).pooler_output,
        "text": text(**tokens).pooler_output,
        "image_features": whole.get_image_features(inputs["pixel_values"]).pooler_output,
        "text_features": whole.get_text_features(**tokens).pooler_output,
        "probabilities": outputs.logits_per_image.softmax(-1),
    }
    for cls, name in ((CLIPVisionModelWithProjection, "image"), (CLIPTextModelWithProjection, "text")):
        projected = loaded(cls)(**(alone if name == "image" else tokens))[f"{name}_embeds"]
        assert torch.allclose(projected, found[f"{name}_features"], atol=1e-6)
classify = pipeline("zero-shot-image-classification", model=folder)
scores = {x["label"]: x["score"] for x in classify(image, candidate_labels=captions, hypothesis_template="{}")}
assert torch.allclose(torch.tensor([scores[c] for c in captions]), found["probabilities"][0], atol=1e-5)
assert len(classify(image, candidate_labels=["dog", "cat", "house"])) == 3
pooled = pipeline("image-feature-extraction", model=f"{folder}/vision", pool=True)(image)
assert torch.allclose(torch.tensor(pooled), found["embedding"], atol=1e-6)
torch.save(found | {"input_ids": tokens["input_ids"], **alone}, f"{folder}/found.pt")
print("hf_ssl" in sys.modules, type(whole).__name__, type(vision).__name__, type(text).__name__)
"""


def test_the_model_computes_the_official_loss():
    model, views = build_model("clip").train(), build_views("clip", batch=6)
    images = model.visual_projection(model.backbone(views["pixel_values"]).pooler_output)
    captions = model.text_projection(model.text(views["input_ids"]).pooler_output)
    output = model(**views)
    expected = official_clip_loss(images, captions, model.logit_scale.exp())
    torch.testing.assert_close(output.loss, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(output.logs["logit_scale"], model.logit_scale.exp())


def test_plain_transformers_loads_the_pair_and_each_encoder(tmp_path):
    model, processor = build_model("clip").eval(), build_processor("clip")
    export_pretrained(model, processor, tmp_path)
    assert {"vision", "text", "pretraining"} <= {path.name for path in tmp_path.iterdir() if path.is_dir()}
    Image.effect_noise((44, 36), 90).convert("RGB").save(tmp_path / "image.png")
    printed = run_clean(CLEAN_PROCESS, tmp_path).split()
    assert printed == ["False", "CLIPModel", "CLIPVisionModel", "CLIPTextModel"]
    found = torch.load(tmp_path / "found.pt")
    with torch.no_grad():
        inputs = processor(images=Image.open(tmp_path / "image.png"), return_tensors="pt")
        assert torch.equal(inputs["pixel_values"], found["pixel_values"])
        assert torch.equal(model.encoder()(found["pixel_values"]).pooler_output, found["embedding"])
        text = model.encode_text(found["input_ids"])
        torch.testing.assert_close(text, found["text"], atol=1e-5, rtol=0)
        torch.testing.assert_close(model.text_projection(text), found["text_features"], atol=1e-5, rtol=0)
        assert torch.equal(model.visual_projection(found["embedding"]), found["image_features"])
    again = SSLCLIPImageProcessor.from_pretrained(tmp_path, subfolder="pretraining")
    assert again.to_dict() == processor.to_dict()
    assert again.tokenizer.get_vocab() == processor.tokenizer.get_vocab()


def test_the_native_loss_of_one_process_is_ours(tmp_path):
    model, views = build_model("clip").eval(), build_views("clip")
    export_pretrained(model, build_processor("clip"), tmp_path)
    native = CLIPModel.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        expected = native(**views, return_loss=True).loss
        torch.testing.assert_close(model(**views).loss, expected, atol=1e-5, rtol=0)


def test_the_logarithm_of_the_scale_stays_within_its_bounds():
    model = build_model("clip")
    for value, kept in ((9.0, math.log(100)), (-1.0, 0.0), (3.0, 3.0)):
        model.logit_scale.data.fill_(value)
        model.after_optimizer_step(0, 10)
        assert model.logit_scale.item() == pytest.approx(kept)


def test_the_first_weights_are_those_of_the_official_code():
    width, layers = 256, 4
    sizes = dict(hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers, num_attention_heads=4)
    config = SSLCLIPConfig(
        backbone_config=CLIPVisionConfig(**sizes, image_size=64, patch_size=8),
        text_config=CLIPTextConfig(**sizes, vocab_size=600, max_position_embeddings=77, eos_token_id=1),
        projection_dim=128,
    )
    torch.manual_seed(0)
    weights = SSLCLIPForPreTraining(config).state_dict()
    text, vision = "text.encoder.layers.1.", "backbone.encoder.layers.1."
    last = (width * 2 * layers) ** -0.5
    expected = {
        "text.embeddings.token_embedding.weight": 0.02,
        "text.embeddings.position_embedding.weight": 0.01,
        f"{text}self_attn.k_proj.weight": width**-0.5,
        f"{text}self_attn.out_proj.weight": last,
        f"{text}mlp.fc1.weight": (2 * width) ** -0.5,
        f"{text}mlp.fc2.weight": last,
        "text_projection.weight": width**-0.5,
        "visual_projection.weight": width**-0.5,
        "backbone.embeddings.class_embedding": width**-0.5,
        "backbone.embeddings.position_embedding.weight": width**-0.5,
        "backbone.embeddings.patch_embedding.weight": (3 * 64 * 3) ** -0.5,  # uniform: the bound by sqrt(3)
        f"{vision}self_attn.v_proj.weight": (1.5 / width / 3) ** 0.5,
        f"{vision}self_attn.out_proj.weight": (3 * width) ** -0.5,
        f"{vision}mlp.fc1.weight": (3 * width) ** -0.5,
        f"{vision}mlp.fc2.weight": (12 * width) ** -0.5,
    }
    for name, std in expected.items():
        found = weights[name].std().item()
        assert found == pytest.approx(std, rel=0.15 if weights[name].ndim == 1 else 0.03), name
    assert weights["logit_scale"].item() == pytest.approx(math.log(1 / 0.07))
    assert not weights[f"{vision}self_attn.q_proj.bias"].any() and not weights[f"{text}self_attn.out_proj.bias"].any()


def test_what_fills_a_caption_up_is_not_seen():
    model, tokens = build_model("clip").eval(), build_views("clip")["input_ids"]
    end = int((tokens[0] == 1).int().argmax()) + 1
    with torch.no_grad():
        whole = model.encode_text(tokens[:1])
        torch.testing.assert_close(model.encode_text(tokens[:1, :end]), whole, atol=1e-5, rtol=0)
        other = tokens[:1].clone()
        other[:, end - 2] += 1
        assert (model.encode_text(other) - whole).abs().max() > 1e-4


def test_a_view_is_a_square_of_the_resized_image_and_nothing_else():
    processor = build_processor("clip", size={"shortest_edge": 32}, do_normalize=False)
    image = torch.arange(64).expand(3, 32, 64).to(torch.uint8)[None].repeat(50, 1, 1, 1)
    views = processor.draw_views({"image": image, "text": ["a"] * 50}, torch.Generator().manual_seed(0))
    rows = (views["pixel_values"] * 255).round()[:, 0, 0]
    starts = rows[:, 0]
    assert torch.equal(rows, starts[:, None] + torch.arange(32))  # neither resized nor mirrored nor coloured
    assert len(starts.unique()) > 15 and starts.min() < 5 and starts.max() > 27
    large = build_processor("clip", size={"shortest_edge": 64})
    small = large.draw_views({"image": image, "text": ["a"] * 50}, torch.Generator().manual_seed(0))["pixel_values"]
    assert small.shape == (50, 3, 32, 32)


def test_captions_become_tokens_before_views_are_drawn():
    processor = build_processor("clip", context_length=8)
    tokens = processor.encode_samples({"text": ["a red dog", "b" * 30]})["text"]
    assert tokens.shape == (2, 8) and tokens[:, 0].tolist() == [0, 0] and tokens[1, -1] == 1
    bare = SSLCLIPImageProcessor()
    with pytest.raises(ValueError, match="has no tokenizer: call settle"):
        bare.encode_samples({"text": ["a"]})


def test_bad_fields():
    with pytest.raises(ValueError, match="backbone_config must be of type 'clip_vision_model', got 'resnet'"):
        SSLCLIPConfig(backbone_config=ResNetConfig())
    with pytest.raises(ValueError, match="eos_token_id must not be 2"):
        SSLCLIPConfig(text_config={"eos_token_id": 2})
    with pytest.raises(ValueError, match="logit_scale_init_value must lie between"):
        SSLCLIPConfig(logit_scale_init_value=5.0)
    vision, text = CLIPVisionConfig(projection_dim=7), CLIPTextConfig(projection_dim=9)
    config = SSLCLIPConfig(backbone_config=vision, text_config=text, projection_dim=64)
    assert config.backbone_config.projection_dim == config.text_config.projection_dim == 64
    assert (vision.projection_dim, text.projection_dim) == (7, 9)  # the caller's own stay as they are
    assert json.loads(config.to_json_string())["text_config"]["projection_dim"] == 64
