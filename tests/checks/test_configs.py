"""Configs and image processors that are damaged, lie or are out of bounds end in one sentence, and soon."""

import json
import os
import time

import pytest
from transformers import AutoImageProcessor, AutoModelForPreTraining

from hf_ssl.checks.bounded_json import parse_json, read_json
from hf_ssl.checks.configs import require_config
from hf_ssl.checks.processors import require_processor
from hf_ssl.evaluation import load_image_processor
from hf_ssl.image_processing_utils import SSLImageProcessor
from hf_ssl.loading import load_encoder, load_method
from hf_ssl.registry import METHODS
from hf_ssl.testing import backbones_of

from ..conftest import BACKBONES, build_processor, export_tiny, tiny_config


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return export_tiny("dino", tmp_path_factory.mktemp("configs") / "repository")


FILES = {
    "no object": (lambda f: f.write_text("[]"), "holds no JSON object"),
    "empty": (lambda f: f.write_text(""), "is no JSON"),
    "no UTF-8": (lambda f: f.write_bytes(b"\xff\xfe{}"), "not in UTF-8"),
    "deep": (lambda f: f.write_text('{"a":' * 100_000), "nested deeper"),
    "twice": (lambda f: f.write_text('{"a": 1, "a": 2}'), "holds 'a' twice"),
    "NaN": (lambda f: f.write_text('{"a": NaN}'), "no number that can be meant"),
    "1e999": (lambda f: f.write_text('{"a": -1e999}'), "no number that can be meant"),
    "2^63": (lambda f: f.write_text(f'{{"a": {2**63}}}'), "no number that can be meant"),
    "many digits": (lambda f: f.write_text(f'{{"a": {"1" * 5000}}}'), "no number that can be meant"),
    "long list": (lambda f: f.write_text(json.dumps({"a": [0] * 20_000})), "20000 entries as a"),
    "long text": (lambda f: f.write_text(json.dumps({"a": "x" * 100_000})), "a text of 100000 characters as a"),
    "1 GB": (lambda f: os.truncate(f, 2**30), "is larger than"),
    "a folder": (lambda f: (f.unlink(), f.mkdir()), "is no file"),
    "a pipe": (lambda f: (f.unlink(), os.mkfifo(f)), "is no file"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_are_read_within_bounds(name, tmp_path):
    file, (damage, expected) = tmp_path / "config.json", FILES[name]
    file.write_text("{}")
    damage(file)
    start = time.monotonic()
    with pytest.raises(ValueError, match=expected):
        read_json(file)
    assert time.monotonic() - start < 5


def test_what_is_within_bounds_is_read():
    assert parse_json('{"a": [1, 2.5, null, "b", {"c": true}]}') == {"a": [1, 2.5, None, "b", {"c": True}]}


VIT = {"model_type": "vit", "hidden_size": 48, "num_attention_heads": 3, "num_hidden_layers": 2, "patch_size": 8}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"hidden_size": 0}, "hidden_size must be a whole number"),
        ({"hidden_size": "48"}, "hidden_size must be"),
        ({"hidden_size": 48.0}, "hidden_size must be"),
        ({"hidden_size": True}, "hidden_size must be"),
        ({"hidden_size": 50}, "no multiple of num_attention_heads"),
        ({"num_hidden_layers": 10**6}, "num_hidden_layers must be"),
        ({"image_size": 10**9}, "image_size must be"),
        ({"image_size": [32, -1]}, "image_size must be"),
        ({"patch_size": 0}, "patch_size must be"),
        ({"depths": [2, 10**6]}, "depths must be"),
        ({"hidden_sizes": [1] * 1000}, "hidden_sizes must be"),
        ({"layer_norm_eps": -1e-6}, "layer_norm_eps must be"),
        ({"hidden_dropout_prob": 1.5}, "hidden_dropout_prob must be"),
        ({"initializer_range": 1e300}, "no number that can be meant"),
        ({"dtype": "int8"}, "dtype is 'int8'"),
        ({"torch_dtype": "load"}, "torch_dtype is 'load'"),
        ({"attn_implementation": "evil/kernel"}, "attn_implementation is 'evil/kernel'"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config, which is not followed"),
        ({"transformers_weights": "x.safetensors"}, "transformers_weights, which is not followed"),
        ({"architectures": 5}, "no list of names of classes"),
        ({"id2label": ["a"]}, "no table of at most"),
        ({"num_labels": 10**9}, "num_labels must be"),
        ({"to_dict": 5}, "belongs to the class"),
        ({"attribute_map": {"hidden_size": "x"}}, "belongs to the class"),
        ({"model_type": ["vit"]}, "no name of a kind of model"),
        ({"is_encoder_decoder": 5}, "must be true or false"),
        ({"vision_config": {"hidden_size": -1}}, "vision_config.hidden_size must be"),
    ],
)
def test_configs_out_of_bounds_are_refused(fields, expected):
    require_config(VIT, "config.json")
    with pytest.raises(ValueError, match=expected):
        require_config(VIT | fields, "config.json")


@pytest.mark.parametrize("backbone", BACKBONES)
def test_configs_of_known_encoders_are_taken(backbone):
    require_config(BACKBONES[backbone]().to_dict(), backbone)


@pytest.mark.parametrize("method", METHODS)
def test_fields_of_methods_have_bounds(method):
    kind = METHODS[method].config_class
    backbone = {"backbone_config": BACKBONES[backbones_of(method)[0]]()}
    values = tiny_config(method) | backbone
    config = kind(**values)
    inherited = set(vars(kind.__mro__[1](**backbone)))
    own = {n: v for n, v in vars(config).items() if n not in inherited and not isinstance(v, bool)}
    for name, value in own.items():
        wrong = [float("nan"), float("inf"), 1e308, -1, 2**63]
        if isinstance(value, list | tuple):
            wrong = [[], [-1], [0, 2**40]] if name.endswith("_sizes") else [[2**40]]
        for bad in wrong:
            if value is None and not isinstance(bad, int):
                continue
            with pytest.raises(Exception, match=name) as info:
                kind(**values | {name: bad})
            assert isinstance(info.value, ValueError) or "StrictDataclass" in type(info.value).__name__


@pytest.mark.parametrize(
    "inner", [{"model_type": "ssl_dino"}, {"model_type": "nonsense"}, {"hidden_size": 8}, 7, "vit"]
)
def test_an_encoder_inside_is_a_native_one(inner, repository):
    path = repository / "pretraining" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"backbone_config": inner}))
    for load in (
        lambda: load_method(str(repository)),
        lambda: AutoModelForPreTraining.from_pretrained(repository, subfolder="pretraining"),
    ):
        with pytest.raises(ValueError, match="backbone_config|nonsense|model_type"):
            load()


def test_a_field_that_was_lost_and_has_another_default(repository):
    for place, name, said in (("", "pooler_act", "pooler_act"), ("pretraining", "backbone_config", "is missing")):
        path = repository / place / "config.json"
        kept = json.loads(path.read_text())
        path.write_text(json.dumps({key: value for key, value in kept.items() if key != name}))
        with pytest.raises(ValueError, match=said):
            load_encoder(str(repository), subfolder=place)


def test_a_text_model_is_no_encoder_of_images():
    kind = METHODS["simclr"]
    bert = {"model_type": "bert", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    with pytest.raises(ValueError, match="'bert' model reads input_ids"):
        kind.pretraining_class(kind.config_class(backbone_config=bert))


def test_a_config_of_a_much_larger_model_is_refused_at_once(repository):
    path = repository / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hidden_size": 49_152, "intermediate_size": 98_304}))
    with pytest.raises(ValueError, match="parameters"):
        load_encoder(str(repository))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"size": {"height": 10**6, "width": 10**6}}, "size must be"),
        ({"size": {"tall": 3}}, "size must be"),
        ({"size": 0}, "size must be"),
        ({"crop_size": {"height": 1.5, "width": 3}}, "crop_size must be"),
        ({"image_std": [0.5, 0.0, 0.5]}, "image_std must be"),
        ({"image_mean": ["a"] * 3}, "image_mean must be"),
        ({"image_mean": [0.5], "image_std": [0.5] * 3}, "image_mean has 1 values, but image_std 3"),
        ({"rescale_factor": 0}, "rescale_factor must be"),
        ({"resample": 99}, "resample must be"),
        ({"do_resize": "yes"}, "do_resize must be true or false"),
        ({"local_crops": 10**6}, "local_crops must be"),
        ({"local_crop_size": 10**6}, "local_crop_size must be"),
        ({"global_crop_scale": [0.9, 0.1]}, "global_crop_scale must be"),
        ({"crop_ratio": [0, 1]}, "crop_ratio must be"),
        ({"blur_sigma": [1e308, 1e308]}, "no number that can be meant"),
        ({"blur_probability": [2.0]}, "blur_probability must be"),
        ({"color_jitter": [0.4]}, "color_jitter must be"),
        ({"mask_ratio": 1.0}, "mask_ratio must be"),
    ],
)
def test_processors_out_of_bounds_are_refused(fields, expected, repository):
    with pytest.raises(ValueError, match=expected):
        require_processor(fields, "preprocessor_config.json")
    for subfolder in ("", "pretraining"):
        path = repository / subfolder / "preprocessor_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))
        with pytest.raises(ValueError, match=expected):
            load_image_processor(str(repository), subfolder=subfolder)
    with pytest.raises(ValueError, match=expected + "|has no attribute"):
        AutoImageProcessor.from_pretrained(repository, subfolder="pretraining")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"std": float("nan")}, "no number that can be meant"),
        ({"mean": "loud"}, "mean must be a number"),
        ({"std": 0}, "std must be a number"),
        ({"sampling_rate": 10**12}, "sampling_rate must be a whole number"),
        ({"max_length": 10**9}, "max_length must be a whole number"),
        ({"num_mel_bins": 128.5}, "num_mel_bins must be a whole number"),
        ({"num_mel_bins": True}, "num_mel_bins must be a whole number"),
        ({"padding_value": [0] * 1000}, "padding_value must be a number"),
        ({"mask_ratio": 1.0}, "mask_ratio must be"),
        ({"roll_share": -1}, "roll_share must be"),
        ({"padding_side": 5}, "padding_side must be a text"),
    ],
)
def test_processors_of_sounds_out_of_bounds_are_refused(fields, expected, tmp_path):
    processor = build_processor("audiomae")
    for kind, own in ((processor.native(), ""), (processor, "pretraining")):
        kind.save_pretrained(tmp_path / own)
        path = tmp_path / own / "preprocessor_config.json"
        load_image_processor(str(tmp_path), subfolder=own, modality="audio")
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))
        with pytest.raises(ValueError, match=expected):
            load_image_processor(str(tmp_path), subfolder=own, modality="audio")
    with pytest.raises(ValueError, match=expected + "|has no attribute"):
        type(processor).from_pretrained(tmp_path / "pretraining")


@pytest.mark.parametrize("method", METHODS)
def test_processors_of_methods_need_all_their_values(method):
    processor = build_processor(method)
    for name, default in processor.view_attributes().items():
        if default is not None:
            with pytest.raises(ValueError, match=name):
                build_processor(method, **{name: None})
    if isinstance(processor, SSLImageProcessor):
        with pytest.raises(ValueError, match="size must have a height and a width"):
            build_processor(method, do_center_crop=False, size={"shortest_edge": 32})
