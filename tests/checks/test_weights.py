"""Safetensors that are damaged, lie, or do not fit their config end in one sentence before they are loaded."""

import json
import os
import shutil
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForPreTraining

from hf_ssl.checks.weights import weight_files
from hf_ssl.loading import load_encoder, load_method
from hf_ssl.registry import METHODS

from ..conftest import export_tiny

INDEX, SHARDS = (
    "model.safetensors.index.json",
    ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return export_tiny("simclr", tmp_path_factory.mktemp("weights") / "repository")


def edit_tensors(file, change):
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    save_file(change(tensors) or tensors, file, {"format": "pt"})


def edit_header(file, change):
    content = file.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    change(header)
    written = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(written)) + written + content[8 + length :])


def first(tensors):
    return next(
        name for name in tensors if ".0." in name and name.endswith((".fc1.weight", "intermediate.dense.weight"))
    )


def all_as(dtype):
    return lambda tensors: {name: t.to(dtype) if t.is_floating_point() else t for name, t in tensors.items()}


# What is done to a file -> what is said.
DAMAGES = {
    "no length": (lambda f: f.write_bytes(bytes(8) + f.read_bytes()[8:]), "are damaged, or do not fit"),
    "huge length": (lambda f: f.write_bytes(struct.pack("<Q", 2**60) + f.read_bytes()[8:]), "are damaged"),
    "empty": (lambda f: f.write_bytes(b""), "are damaged"),
    "cut": (lambda f: f.write_bytes(f.read_bytes()[:-10]), "are damaged"),
    "too long": (lambda f: f.write_bytes(f.read_bytes() + b"abc"), "are damaged"),
    "unknown dtype": (lambda f: edit_header(f, lambda h: h[first(h)].update(dtype="F99")), "are damaged"),
    "odd dtype": (lambda f: edit_header(f, lambda h: h[first(h)].update(dtype="U32")), "no encoder is made of"),
    "whole numbers": (lambda f: edit_header(f, lambda h: h[first(h)].update(dtype="I32")), "hold .* as I32"),
    "another format": (lambda f: edit_header(f, lambda h: h.update(__metadata__={"format": "tf"})), "not of PyTorch"),
    "half": (lambda f: edit_tensors(f, all_as(torch.float16)), 'set "dtype": "float16"'),
    "double": (
        lambda f: edit_tensors(f, all_as(torch.float64)),
        "stored in float64, but its config.json says float32",
    ),
    "one half": (lambda f: edit_tensors(f, lambda t: t | {first(t): t[first(t)].half()}), "stored in float16"),
    "NaN": (lambda f: edit_tensors(f, lambda t: t | {first(t): t[first(t)] * torch.nan}), "no finite numbers"),
    "infinity": (lambda f: edit_tensors(f, lambda t: t | {first(t): t[first(t)] + torch.inf}), "no finite numbers"),
    "missing": (lambda f: edit_tensors(f, lambda t: {n: x for n, x in t.items() if n != first(t)}), "missing"),
    "another shape": (lambda f: edit_tensors(f, lambda t: t | {first(t): torch.zeros(3, 3)}), "shape|size|do not fit"),
    "no size": (lambda f: edit_tensors(f, lambda t: t | {first(t): torch.zeros(0, 48)}), "shape|size|do not fit"),
    "one layer more": (
        lambda f: edit_tensors(f, lambda t: t | {first(t).replace(".0.", ".7."): t[first(t)].clone()}),
        "no place for .*[.]7[.]|left over",
    ),
    "no tensors": (lambda f: save_file({}, f, {"format": "pt"}), "holds no tensors"),
    "gone": (lambda f: f.unlink(), "holds no model.safetensors"),
    "a pipe": (lambda f: (f.unlink(), os.mkfifo(f)), "holds no file model.safetensors"),
    "a folder": (lambda f: (f.unlink(), f.mkdir()), "holds no file model.safetensors"),
    "a link out": (
        lambda f: (shutil.move(f, f.parents[2] / "other"), f.symlink_to(f.parents[2] / "other")),
        "is a link to",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_weights_are_refused(name, repository):
    damage, expected = DAMAGES[name]
    for folder, load in (
        (repository, lambda: load_encoder(str(repository))),
        (repository / "pretraining", lambda: load_method(str(repository))),
    ):
        damage(folder / "model.safetensors")
        with pytest.raises((ValueError, OSError), match=expected) as info:
            load()
        assert type(info.value) in (ValueError, OSError) and "\n" not in str(info.value)
    with pytest.raises((ValueError, OSError), match=expected):
        AutoModelForPreTraining.from_pretrained(repository, subfolder="pretraining")


def in_shards(folder):
    """Splits the weights; returns the index."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    placed = {name: SHARDS[i % 2] for i, name in enumerate(tensors)}
    for shard in SHARDS:
        inside = {name: tensor for name, tensor in tensors.items() if placed[name] == shard}
        save_file(inside, folder / shard, {"format": "pt"})
    size = sum(t.numel() * t.element_size() for t in tensors.values())
    return {"metadata": {"total_size": size}, "weight_map": placed}


def swapped(index):
    name, shard = next(iter(index["weight_map"].items()))
    return index | {"weight_map": index["weight_map"] | {name: SHARDS[shard == SHARDS[0]]}}


@pytest.mark.parametrize(
    ("lie", "expected"),
    [
        (lambda i: i | {"metadata": {"total_size": 5}}, "says that the weights are 5 bytes"),
        (lambda i: i | {"metadata": {"total_size": "x"}}, "says that the weights are 'x' bytes"),
        (lambda i: i | {"weight_map": []}, "is no index of shards"),
        (lambda i: i | {"weight_map": dict(list(i["weight_map"].items())[1:])}, "do not agree on"),
        (swapped, "do not agree on"),
        (lambda i: i | {"weight_map": i["weight_map"] | {"x": "model-9.safetensors"}}, "which is not there"),
        (lambda i: i | {"weight_map": i["weight_map"] | {"x": "../x.safetensors"}}, "is no file of weights beside it"),
    ],
)
def test_an_index_that_lies_is_refused(lie, expected, repository):
    index = in_shards(repository)
    (repository / INDEX).write_text(json.dumps(index))
    assert load_encoder(str(repository)).config.model_type == "vit"
    (repository / INDEX).write_text(json.dumps(lie(index)))
    with pytest.raises(ValueError, match=expected):
        load_encoder(str(repository))


def test_half_precision_that_the_config_names_is_read(repository):
    edit_tensors(repository / "model.safetensors", all_as(torch.bfloat16))
    config = repository / "config.json"
    config.write_text(config.read_text().replace('"float32"', '"bfloat16"'))
    assert load_encoder(str(repository)).dtype == torch.float32


def test_the_commit_that_is_checked_is_loaded(hub, repository, monkeypatch, tmp_path):
    """The branch moves to pickled weights between the check and the load: nothing of them is read."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    from hf_ssl.checks import checkpoints as checkpoint_utils

    api = HfApi(token="hf_write")
    api.create_repo("me/moving")
    files = [path for path in repository.iterdir() if path.is_file() and path.name != "README.md"]
    api.create_commit("me/moving", [CommitOperationAdd(path.name, path) for path in files], commit_message="good")

    def moved(*arguments):
        found = weight_files(*arguments)
        other = tmp_path / "other.json"
        other.write_text("{}")
        changes = [CommitOperationAdd("config.json", other), CommitOperationDelete("model.safetensors")]
        api.create_commit("me/moving", changes, commit_message="bad")
        return found

    monkeypatch.setattr(checkpoint_utils, "weight_files", moved)
    assert load_encoder("me/moving").config.model_type == "vit"
    monkeypatch.undo()


def test_starting_from_an_encoder_with_a_classifier_says_nothing_of_it(tmp_path, capsys):
    export_tiny("fixmatch", tmp_path)
    METHODS["simclr"].pretraining_class.from_backbone(str(tmp_path))
    load_encoder(str(tmp_path))
    assert "REPORT" not in capsys.readouterr().err
