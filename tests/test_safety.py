"""Nothing that comes from outside is run, and what is written cannot run: weights, configs, code, names."""

import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    AutoModelForPreTraining,
    ViTConfig,
    ViTImageProcessorPil,
)

from hf_ssl import SimCLRForPreTraining, SimCLRModel
from hf_ssl.evaluation import load_image_processor
from hf_ssl.hub import export_pretrained, validate_card
from hf_ssl.loading import load_encoder
from hf_ssl.registry import METHODS

from .cli.test_errors import hf_ssl
from .conftest import CASES, build_model, build_processor
from .test_conversion_utils import Hostile

CARD = "---\nlicense: mit\n---\n\n# card\n"
VIT = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32, "patch_size": 8}


@pytest.fixture
def repository(tmp_path):
    """One of ours."""
    return export_pretrained(
        build_model("simclr").eval(), build_processor("simclr"), tmp_path / "repository", card=CARD
    )


@pytest.fixture
def native(tmp_path):
    """One of somebody else's."""
    AutoModel.from_config(ViTConfig(**VIT, intermediate_size=64)).save_pretrained(tmp_path / "native")
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(tmp_path / "native")
    return tmp_path / "native"


def edit(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def refused(expected, monkeypatch, capsys, *arguments):
    code, message = hf_ssl(monkeypatch, capsys, *arguments)
    assert code == 2 and expected in message and "Traceback" not in message, message


# Weights


@pytest.mark.parametrize("method", METHODS)
def test_weights_are_written_as_safetensors_only(method, tmp_path):
    backbone = next(b for m, b in CASES if m == method)
    folder = export_pretrained(build_model(method, backbone).eval(), build_processor(method), tmp_path, card=CARD)
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert kinds == {".json", ".md", ".safetensors"}


@pytest.mark.parametrize("form", ["torch", "pickle"])
def test_pickled_weights_are_refused_and_not_run(form, repository, native, tmp_path, monkeypatch, capsys):
    trace = tmp_path / "trace"
    for folder in (repository, repository / "pretraining", native):
        (folder / "model.safetensors").unlink()
        if form == "torch":
            torch.save({"w": Hostile(trace)}, folder / "pytorch_model.bin")
        else:
            (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Hostile(trace), protocol=2))
    for load in (
        lambda: SimCLRForPreTraining.from_pretrained(repository, subfolder="pretraining"),
        lambda: SimCLRModel.from_pretrained(repository / "pretraining"),
        lambda: AutoModelForPreTraining.from_pretrained(repository, subfolder="pretraining"),
        lambda: AutoModel.from_pretrained(repository / "pretraining"),
        lambda: SimCLRForPreTraining.from_backbone(str(native)),
        lambda: load_encoder(str(native)),
    ):
        with pytest.raises(ValueError, match="holds pickled weights only"):
            load()
    refused("pickled weights only", monkeypatch, capsys, "evaluate", native)
    refused("pickled weights only", monkeypatch, capsys, "evaluate", repository, "--subfolder", "pretraining")
    refused("pickled weights only", monkeypatch, capsys, "export", repository, tmp_path / "out")
    refused("pickled weights only", monkeypatch, capsys, "card", repository)
    refused(
        *("pickled weights only", monkeypatch, capsys, "pretrain", "simclr", "--backbone", native),
        *("--data", photos(tmp_path), "--output-dir", tmp_path / "out"),
    )
    refused("could run code", monkeypatch, capsys, "convert", "dino", hostile(tmp_path, trace), tmp_path / "out")
    assert not trace.exists() and not (tmp_path / "out").exists()
    assert (repository / "README.md").read_text() == CARD


def hostile(folder, trace):
    torch.save({"teacher": Hostile(trace)}, folder / "hostile.pth")
    return folder / "hostile.pth"


def photos(folder, names=("a", "b")):
    generator = np.random.default_rng(0)
    for label in names:
        (folder / "photos" / label).mkdir(parents=True)
        for i in range(8):
            pixels = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / label / f"{i}.png")
    return folder / "photos"


@pytest.mark.parametrize("shard", ["../../evil.safetensors", "/tmp/evil.safetensors", "a/b.safetensors", "x.bin", 3])
def test_shards_outside_of_the_folder_are_refused(shard, repository, native, monkeypatch, capsys):
    for folder in (repository / "pretraining", native):
        (folder / "model.safetensors").rename(folder.parent / "evil.safetensors")
        index = {"metadata": {"total_size": 1}, "weight_map": {"layernorm.weight": shard}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match="is no file of weights beside it"):
        SimCLRForPreTraining.from_pretrained(repository, subfolder="pretraining")
    refused("is no file of weights beside it", monkeypatch, capsys, "evaluate", native)
    refused("is no file of weights beside it", monkeypatch, capsys, "card", repository)
    (native / "model.safetensors.index.json").write_text("[]")
    refused("is no index of shards", monkeypatch, capsys, "evaluate", native)


def test_shards_in_the_folder_are_read(native):
    model = load_encoder(str(native))
    (native / "model.safetensors").unlink()
    model.save_pretrained(native, max_shard_size="20KB")
    assert len(list(native.glob("*.safetensors"))) > 1
    again = load_encoder(str(native)).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())


def test_adapters_are_refused(repository, native, monkeypatch, capsys):
    for folder in (repository / "pretraining", native):
        (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "../../evil"}))
    refused("is an adapter of another model", monkeypatch, capsys, "evaluate", native)
    refused("is an adapter of another model", monkeypatch, capsys, "card", repository)
    with pytest.raises(ValueError, match="is an adapter of another model"):
        SimCLRForPreTraining.from_backbone(str(native))


# Configs and code


def test_a_config_leads_nowhere_else(repository, native, tmp_path, monkeypatch, capsys):
    expected = load_encoder(str(native)).state_dict()
    other = shutil.copytree(native, tmp_path / "other")
    save_file({name: t + 1 for name, t in expected.items()}, other / "model.safetensors", {"format": "pt"})
    edit(native / "config.json", _name_or_path=str(other), name_or_path=str(other))
    found = load_encoder(str(native)).state_dict()
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
    for weights in ("../other/model.safetensors", str(other / "model.safetensors")):
        edit(native / "config.json", transformers_weights=weights)
        refused("transformers_weights, which is not followed", monkeypatch, capsys, "evaluate", native)
    index = {"metadata": {}, "weight_map": dict.fromkeys(expected, "../other/model.safetensors")}
    (native / "x.safetensors.index.json").write_text(json.dumps(index))
    edit(native / "config.json", transformers_weights=None)
    refused("is no file of weights beside it", monkeypatch, capsys, "evaluate", native)
    (native / "x.safetensors.index.json").unlink()
    torch.save(expected, native / "adapter_model.bin")
    refused("is an adapter of another model", monkeypatch, capsys, "evaluate", native)
    edit(repository / "pretraining" / "config.json", backbone_config=str(other))
    refused("backbone_config", monkeypatch, capsys, "card", repository)
    with pytest.raises(ValueError, match="backbone_config"):
        SimCLRForPreTraining.from_pretrained(repository, subfolder="pretraining")


@pytest.mark.parametrize(
    "fields",
    [
        {"architecture": "local-dir:../other"},
        {"architecture": "hf-hub:evil/model"},
        {"architecture": "resnet18", "model_args": {"checkpoint_path": "../evil.pth"}},
        {"architecture": "resnet18", "model_args": {"pretrained_cfg": {"file": "../evil.pth"}}},
    ],
)
def test_timm_reads_no_other_files(fields, tmp_path, monkeypatch, capsys):
    config = {"model_type": "timm_wrapper", "label_names": ["a"], "num_classes": 1, **fields}
    (tmp_path / "config.json").write_text(json.dumps(config))
    refused("makes timm read other files", monkeypatch, capsys, "evaluate", tmp_path)


def test_code_of_a_repository_is_not_run(repository, native, tmp_path, monkeypatch, capsys):
    trace = tmp_path / "trace"
    code = f"open({str(trace)!r}, 'w')\nclass Evil: ...\n"
    monkeypatch.setattr("builtins.input", lambda *_: "y")  # transformers would ask
    for folder in (native, repository / "pretraining"):
        (folder / "evil.py").write_text(code)
    autos = ("AutoConfig", "AutoModel", "AutoImageProcessor", "AutoModelForPreTraining")
    auto_map = dict.fromkeys(autos, "evil.Evil")
    edit(native / "config.json", auto_map=auto_map)
    edit(native / "preprocessor_config.json", auto_map=auto_map)
    assert load_encoder(str(native)).config.model_type == "vit"  # a type that transformers knows is its own
    assert type(load_image_processor(str(native))).__name__.startswith("ViTImageProcessor")
    SimCLRForPreTraining.from_backbone(str(native))
    edit(native / "preprocessor_config.json", image_processor_type="EvilProcessor")
    refused("has no image processor that can be used here", monkeypatch, capsys, "evaluate", native)
    edit(native / "config.json", model_type="evil")
    refused("needs code of its own (auto_map), which is not run here", monkeypatch, capsys, "evaluate", native)
    refused(
        *("needs code of its own (auto_map)", monkeypatch, capsys, "pretrain", "mae", "--backbone", native),
        *("--data", photos(tmp_path), "--output-dir", tmp_path / "out"),
    )
    edit(repository / "pretraining" / "config.json", auto_map=auto_map)
    refused("auto_map", monkeypatch, capsys, "card", repository)
    edit(repository / "pretraining" / "config.json", model_type="evil")
    refused("needs code of its own", monkeypatch, capsys, "export", repository, tmp_path / "out")
    assert not trace.exists()


# Names of classes

NAMES = ("two\nlines", "a | b", "- x: [1, {y}] # !!z", "<script>alert(1)<", "$\\frac{1}$", "'\"\\ ü")


def test_names_of_classes_survive_a_run(tmp_path, monkeypatch, capsys):
    data, out = photos(tmp_path, NAMES), tmp_path / "out"
    options = ("--image-size", 32, "--backbone", "vit-nano", "--num_train_epochs", 1, "--use_cpu", "--data", data)
    batch = ("--per_device_train_batch_size", 8, "--eval_strategy", "no", "--output-dir", out)
    code, message = hf_ssl(monkeypatch, capsys, "pretrain", "supervised", *options, *batch)
    assert code == 0, message
    config = AutoConfig.from_pretrained(out / "pretraining")
    assert sorted(config.id2label.values()) == sorted(NAMES)
    card = (out / "README.md").read_text()
    assert validate_card(card) == [] and "<script" not in card
    assert (out / "figures" / "neighbours.png").is_file()
    assert AutoImageProcessor.from_pretrained(out) and AutoModel.from_pretrained(out)
