"""What a method's recipe builds on the encoders that have names."""

import sys

import pytest
import torch
from transformers import AutoConfig, AutoModel

from hf_ssl import SSLTrainingArguments
from hf_ssl.cli import main
from hf_ssl.data import Data, load_data
from hf_ssl.encoders import encoder_for
from hf_ssl.recipes import (
    base_config,
    build,
    build_model,
    build_processor,
    encoder_config,
    recipe,
    recipe_of,
    require_encoder,
    require_views_fit,
)
from hf_ssl.registry import METHODS
from hf_ssl.testing import Examples, backbones_of
from hf_ssl.testing import build_processor as build_tiny_processor

NAMED = {"vit-nano": {"vit", "clip_vision_model"}, "resnet-nano": {"resnet"}}
CASES = [(m, b) for m in METHODS for b in NAMED if NAMED[b] & set(backbones_of(m))]


@pytest.mark.parametrize("name", ["small", "photos"])
@pytest.mark.parametrize(("method", "backbone"), CASES)
def test_recipes_for_a_cpu_run_on_both_kinds_of_encoder(method, backbone, name):
    row = METHODS[method]
    chosen = recipe_of(row, name)
    data = Data("examples", Examples(build_tiny_processor(method)), None, None, "", "")
    processor = build_processor(row, chosen, {}, 32, encoder_config(row, chosen, backbone, 32)[0], data=data)
    fields = processor.model_fields()
    model, base = build_model(row, chosen, backbone, {}, image_size=32, seed=0, label_names=["a", "b"], learnt=fields)
    assert base is None
    # A recipe's pooling speaks of a ViT.
    assert model.config.pooling in (None, "mean") and (model.config.pooling is None or backbone == "vit-nano")
    require_views_fit(model, processor, 32)
    model.size_for(4096)
    views = dict(processor.views(generator=torch.Generator(), **processor.example(32, batch=4)))
    extras = {"labels": torch.tensor([0, 1, 0, 1]), "sample_index": torch.arange(4)}
    output = model.train()(**views, **{name: extras[name] for name in model.data_columns})
    assert output.loss.isfinite()
    output.loss.backward()


@pytest.mark.parametrize(("backbone", "spread"), [(None, 0.05), ("vit-nano", 0.05), ("vit-micro", 0.07)])
def test_a_recipe_sets_the_first_weights_of_its_own_encoder_only(backbone, spread):
    row = METHODS["simclr"]
    chosen = recipe_of(row, "small")
    model, _ = build_model(row, chosen, backbone, {}, image_size=32, seed=0, label_names=None)
    assert model.config.backbone_config.initializer_range == spread
    linear = next(m for m in model.backbone.layers.modules() if isinstance(m, torch.nn.Linear))
    assert linear.weight.std().item() == pytest.approx(spread, rel=0.1)


TINY = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
PLAIN = TINY | {"image_size": 32, "patch_size": 8}
STAGES = {"hidden_sizes": [8, 8, 16, 32], "depths": [1, 1, 1, 1]}
WINDOWS = {"image_size": 64, "patch_size": 4, "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 1], "window_size": 8}


UNITS = {"image_size": [64, 64], "embed_dim": 8, "depths": [1] * 4, "num_heads": [1, 1, 2, 2]}


def saved(folder, kind, **fields):
    AutoModel.from_config(AutoConfig.for_model(kind, **fields)).half().save_pretrained(folder)
    return str(folder)


def built(folder, image_size=None, short_side=12):
    """A model around the encoder of a folder, its processor, and the size of its images."""
    row = METHODS["simclr"]
    chosen = recipe_of(row, "photos")
    size = image_size or encoder_for(base_config(folder)).usual_size(short_side)
    processor = build_processor(row, chosen, {}, size, *encoder_config(row, chosen, folder, size))
    model, _ = build_model(row, chosen, folder, {}, image_size=size, seed=0, label_names=None)
    require_views_fit(model, processor, size)
    return model, processor, size


@pytest.mark.parametrize(
    ("kind", "fields", "size"),
    [("convnext", STAGES, 32), ("swin", WINDOWS, 64), ("vit", PLAIN, 32), ("beit", PLAIN, 32), ("resnet", STAGES, 12)],
)
def test_the_size_of_small_images_is_one_that_the_encoder_takes(kind, fields, size, tmp_path):
    assert built(saved(tmp_path, kind, **fields))[2] == size


@pytest.mark.parametrize(("image_size", "short_side", "size"), [(48, 12, 48), (None, 12, 32), (None, 40, 40)])
def test_an_encoder_with_positions_is_fitted_to_the_images(image_size, short_side, size, tmp_path):
    folder = saved(tmp_path, "vit", **PLAIN | {"image_size": 64})
    model, _, found = built(folder, image_size, short_side)
    native = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    image = torch.rand(2, 3, size, size)
    assert found == size and model.config.backbone_config.image_size == size
    expected = native(image, interpolate_pos_encoding=True).last_hidden_state
    torch.testing.assert_close(model.eval().backbone(image).last_hidden_state, expected)


@pytest.mark.parametrize(
    ("kind", "fields", "image_size", "said"),
    [
        ("bert", TINY | {"vocab_size": 9}, 32, "reads input_ids: it is no encoder of images."),
        ("convnext", STAGES, 16, "The encoder cannot take images of 16 pixels (.*): choose a size .* such as 32, "),
        ("swin", WINDOWS, 32, "The encoder cannot take images of 32 pixels (.*): choose a size .* such as 64, "),
        ("hiera", UNITS, 72, "The encoder cannot take images of 72 pixels (.*): choose a size .* such as 64, "),
    ],
)
def test_encoders_that_do_not_fit(kind, fields, image_size, said, tmp_path):
    folder = saved(tmp_path, kind, **fields)
    with pytest.raises(ValueError, match=said.replace("(", r"\(").replace(")", r"\)")):
        base_config(folder)
        built(folder, image_size)


def test_a_model_of_images_and_texts_is_sent_away(tmp_path):
    text = TINY | {"vocab_size": 9}
    folder = saved(tmp_path / "both", "clip", text_config=text, vision_config=PLAIN)
    with pytest.raises(ValueError, match="a 'clip' model of images and texts: save its image side"):
        base_config(folder)
    AutoModel.from_pretrained(folder).vision_model.save_pretrained(tmp_path / "side")
    assert built(str(tmp_path / "side"))[2] == 32


def test_an_encoder_that_cannot_serve_is_refused_before_any_data_is_read(tmp_path, monkeypatch, capsys):
    folder = saved(tmp_path / "swin", "swin", **WINDOWS)
    for size in (None, 64):
        require_encoder(folder, size)
    with pytest.raises(ValueError, match="cannot take images of 32 pixels .* such as 64"):
        require_encoder(folder, 32)
    require_encoder(saved(tmp_path / "vit", "vit", **PLAIN), 64)
    require_encoder("vit-nano", 32)
    command = ["hf-ssl", "pretrain", "simclr", "--data", tmp_path, "--backbone", folder]
    command += ["--image-size", "32", "--output-dir", tmp_path / "run"]
    monkeypatch.setattr("hf_ssl.cli.pretrain.read_images", lambda request: pytest.fail("the data is read"))
    monkeypatch.setattr(sys, "argv", list(map(str, command)))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "cannot take images of 32 pixels" in capsys.readouterr().err


def test_the_same_from_python():
    data = load_data("photo-patches", limit=40)
    chosen = recipe("moco_v2", "small")
    model, processor, training = build(
        "moco_v2", chosen, None, 32, data=data, config={"temperature": 0.3}, training={"max_steps": 3}, seed=1
    )
    assert (model.config.temperature, model.config.queue_length) == (0.3, 32)  # no longer than there are images
    assert processor.inference_size == 32 and training["max_steps"] == 3 and "num_train_epochs" not in training
    assert training["eval_strategy"] == "steps" == SSLTrainingArguments("unused", **training).eval_strategy
    again, *_ = build("moco_v2", "small", None, 32, seed=1)
    assert all(a.equal(b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert build("moco_v2", "small", None, 32).training["eval_strategy"] == "no"  # nothing to evaluate on
    names = build("supervised", "small", "resnet-nano", 32, data=data).model.config.id2label
    assert list(names.values()) == data.label_names
    for wrong, message in [
        (lambda: recipe("dino", "smal"), "'small'"),
        (lambda: build("dinoo", "small", None, 32), "'dino'"),
        (lambda: build("dino", "small", None, 32, config={"temprature": 1}), "no field 'temprature'"),
        (lambda: build("dino", "small", None, 32, training={"max_step": 1}), "'max_steps'"),
        (lambda: build("dino", "small", None, 32, processor={"local_crop_size": 0}), "--processor local_crop_size=0"),
    ]:
        with pytest.raises(ValueError, match=message):
            wrong()
