"""An encoder that is stored in half precision trains in float32, unless the caller says otherwise."""

import pytest
import torch
from transformers import AutoConfig, AutoModel, BeitConfig

from hf_ssl import SimCLRConfig, SimCLRForPreTraining
from hf_ssl.hub import export_pretrained
from hf_ssl.loading import load_encoder
from hf_ssl.registry import METHODS

from .conftest import BACKBONES, backbones_of, build_model, build_processor, build_views, tiny_config

HEADS = tiny_config("simclr")
ENCODERS = {
    **{name: BACKBONES[name] for name in backbones_of("simclr")},
    "beit": lambda: BeitConfig(  # what a mean-pooled ViT is published as
        hidden_size=48, num_hidden_layers=1, num_attention_heads=3, intermediate_size=96, image_size=32, patch_size=8,
        use_absolute_position_embeddings=True, use_mean_pooling=True,
    ),
}  # fmt: skip


def dtypes(model):
    return {t.dtype for t in (*model.parameters(), *model.buffers()) if t.is_floating_point()}


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ENCODERS)
def test_trains_in_float32(name, stored, tmp_path):
    torch.manual_seed(0)
    native = AutoModel.from_config(ENCODERS[name]()).to(stored)
    native.save_pretrained(tmp_path)
    for source in (str(tmp_path), native):
        model = SimCLRForPreTraining.from_backbone(source, HEADS)
        assert dtypes(model) == {torch.float32} and model.dtype == torch.float32
        for key, value in model.backbone.state_dict().items():
            assert torch.equal(value, native.state_dict()[key].to(value.dtype)), key
        model(**build_views("simclr")).loss.backward()
    assert dtypes(model.native_encoder()) == {torch.float32}
    assert dtypes(load_encoder(str(tmp_path))) == {torch.float32}
    assert dtypes(load_encoder(str(tmp_path), dtype=stored)) == {stored}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (torch.bfloat16, torch.bfloat16),
        ("bfloat16", torch.bfloat16),
        ("auto", torch.float16),
        ("float32", torch.float32),
    ],
)
def test_the_caller_decides(asked, expected, tmp_path):
    native = AutoModel.from_config(BACKBONES["dinov2"]()).half()
    native.save_pretrained(tmp_path)
    for source in (str(tmp_path), native):
        assert dtypes(SimCLRForPreTraining.from_backbone(source, HEADS, dtype=asked)) == {expected}


def test_a_config_that_says_float16(tmp_path):
    AutoModel.from_config(BACKBONES["vit"]()).half().save_pretrained(tmp_path)
    config = SimCLRConfig(**HEADS, backbone_config=AutoConfig.from_pretrained(tmp_path))
    model = SimCLRForPreTraining(config)
    assert dtypes(model) == {torch.float32}
    model.save_pretrained(tmp_path / "method")
    assert dtypes(SimCLRForPreTraining.from_pretrained(tmp_path / "method", dtype=torch.bfloat16)) == {torch.bfloat16}


def test_an_exported_mean_pooled_encoder_is_a_start(tmp_path):
    folder = export_pretrained(build_model("mae", pooling="mean").half().eval(), build_processor("mae"), tmp_path)
    for method in ("simclr", "dino"):
        model = METHODS[method].pretraining_class.from_backbone(str(folder), tiny_config(method))
        assert dtypes(model) == {torch.float32} and model.backbone.config.model_type == "beit"
        model(**build_views(method)).loss.backward()
        pixels = torch.rand(2, 3, 32, 32)
        with torch.no_grad():
            ours, before = (m.eval()(pixels).pooler_output for m in (model.encoder(), load_encoder(str(folder))))
        torch.testing.assert_close(ours, before)


def test_mae_goes_on_from_its_own_pretraining_folder(tmp_path):
    folder = export_pretrained(build_model("mae").eval(), build_processor("mae"), tmp_path)
    mae = METHODS["mae"].pretraining_class
    with pytest.raises(ValueError, match="got 'beit' .of an encoder that MAE published, take its folder pretraining/"):
        mae.from_backbone(str(folder), tiny_config("mae"))
    model = mae.from_backbone(str(folder / "pretraining"), tiny_config("mae"))
    model(**build_views("mae")).loss.backward()


@pytest.mark.parametrize("spoil", ["cut", "another width"])
def test_damaged_encoders_are_named(spoil, tmp_path):
    native = AutoModel.from_config(BACKBONES["vit"]())
    native.save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    if spoil == "cut":
        weights.write_bytes(weights.read_bytes()[:3000])
    else:
        native.config.intermediate_size = 64
        native.config.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="are damaged, or do not fit its config"):
        SimCLRForPreTraining.from_backbone(str(tmp_path), HEADS)
