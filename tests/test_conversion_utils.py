"""Checkpoint files are read without running them, and what does not fit is named."""

import argparse
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hf_ssl import MoCoV2ForPreTraining, SupervisedForPreTraining
from hf_ssl.checks.checkpoints import read_checkpoint
from hf_ssl.conversion_utils import convert_checkpoint, listed, native_config, state_dict, vit_config
from hf_ssl.registry import METHODS

from .methods.official import LAYOUTS
from .methods.official.parts import drawn, prefixed
from .methods.official.release import SMALL
from .methods.official.resnet import ResNet
from .methods.official.vision_transformer import VisionTransformer


class Hostile:
    """Unpickled, it would make a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def saved(path, value, **kwargs):
    torch.save(value, path, **kwargs)
    return path


def test_what_scripts_save_is_read(tmp_path):
    args = argparse.Namespace(lr=0.1, output_dir=Path("runs"), seeds=[1, 2])
    schedule = {"lr": np.float64(0.5), "epochs": np.int64(3), "random": np.arange(3)}
    value = {"model": {"w": torch.ones(2, 3)}, "args": args, "optimizer": schedule, "epoch": 3}
    for i, zipped in enumerate((True, False)):
        path = saved(tmp_path / f"{i}.pth.tar", value, _use_new_zipfile_serialization=zipped)
        checkpoint = read_checkpoint(path)
        assert torch.equal(checkpoint["model"]["w"], torch.ones(2, 3))
        assert checkpoint["args"].lr == 0.1 and checkpoint["epoch"] == 3
    save_file({"w": torch.ones(2)}, tmp_path / "x.safetensors")
    assert torch.equal(read_checkpoint(tmp_path / "x.safetensors")["w"], torch.ones(2))
    assert argparse.Namespace not in torch.serialization.get_safe_globals()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", ["zip", "legacy", "pickle 2", "pickle 4", "inside"])
def test_nothing_of_a_file_is_run(form, tmp_path):
    trace, path = tmp_path / "trace", tmp_path / "hostile.pth"
    value = {"model": {"w": torch.ones(2), "x": Hostile(trace)}}
    if form == "inside":
        value = {"args": argparse.Namespace(x=Hostile(trace))}
    if form.startswith("pickle"):
        path.write_bytes(pickle.dumps(value["model"]["x"], protocol=int(form[-1])))
    else:
        saved(path, value, _use_new_zipfile_serialization=form != "legacy")
    unknown = "cannot be read" if form == "pickle 4" else "holds .*open, which could run code: it is not loaded"
    with pytest.raises(ValueError, match=f"hostile.pth {unknown}"):
        read_checkpoint(path)
    assert not trace.exists()


def broken_files(folder):
    whole = saved(folder / "whole.pth", {"w": torch.ones(1000)}).read_bytes()
    files = {
        "text": b"epoch 1, loss 0.3\n" * 20,
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "without end": whole[:-10],
        "noise": bytes(np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8)),
        "web page": b"<!DOCTYPE html><html><body>404</body></html>",
        "pickle of nothing": b"\x80\x02.",
    }
    for name, content in files.items():
        for suffix in (".pth", ".safetensors"):
            (folder / f"{name}{suffix}").write_bytes(content)
            yield folder / f"{name}{suffix}"


def test_what_is_no_checkpoint(tmp_path):
    for path in broken_files(tmp_path):
        with pytest.raises(ValueError, match="cannot be read as a checkpoint") as error:
            read_checkpoint(path)
        assert path.name in str(error.value) and len(str(error.value)) < 400
    with pytest.raises(ValueError, match="is a folder"):
        read_checkpoint(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "nowhere.pth")
    for value in ([torch.ones(2)], torch.ones(2), 3):
        with pytest.raises(ValueError, match=f"no state dict but an object of type {type(value).__name__}"):
            read_checkpoint(saved(tmp_path / "other.pth", value))


def test_bombs(tmp_path):
    zipped = tmp_path / "zip.pth"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(4):
            archive.writestr(f"archive/data/{i}", bytes(1 << 24))
    assert zipped.stat().st_size < 1 << 20
    view = saved(tmp_path / "view.pth", {"w": torch.zeros(1).expand(1 << 20, 1 << 20)})
    loop = [torch.ones(2)]
    for _ in range(60):
        loop = [loop] * 10
    loop.append(loop)
    for path in (zipped, view):
        with pytest.raises(ValueError, match="would unpack to .* 4 times its size"):
            read_checkpoint(path)
    assert read_checkpoint(saved(tmp_path / "loop.pth", {"x": loop}))["x"]


def test_a_header_of_safetensors_that_lies(tmp_path):
    header = b'{"w":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}'
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    with pytest.raises(ValueError, match="cannot be read"):
        read_checkpoint(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("depths", "bottleneck", "width", "hidden_sizes"),
    [
        ([2, 2, 2, 2], False, 64, [64, 128, 256, 512]),
        ([3, 4, 6, 3], False, 64, [64, 128, 256, 512]),
        ([3, 4, 6, 3], True, 64, [256, 512, 1024, 2048]),
        ([3, 4, 23, 3], True, 64, [256, 512, 1024, 2048]),
        ([3, 4, 6, 3], True, 128, [512, 1024, 2048, 4096]),
    ],
    ids=["18", "34", "50", "101", "50x2"],
)
def test_resnets_from_shapes(depths, bottleneck, width, hidden_sizes):
    with torch.device("meta"):
        tensors = ResNet(depths, bottleneck, width).state_dict()
    config = native_config({f"net.{name}": tensor for name, tensor in tensors.items()}, "net.")
    assert (config.depths, config.hidden_sizes, config.embedding_size) == (depths, hidden_sizes, width)
    assert config.layer_type == ("bottleneck" if bottleneck else "basic") and not config.downsample_in_bottleneck


@pytest.mark.parametrize(
    ("dim", "heads", "patch", "depth"), [(192, 3, 16, 12), (384, 6, 8, 12), (768, 12, 16, 12), (1280, 16, 14, 4)]
)
def test_vits_from_shapes(dim, heads, patch, depth):
    with torch.device("meta"):
        tensors = VisionTransformer(224, patch, dim, depth, heads).state_dict()
    config = native_config(tensors)
    assert (config.hidden_size, config.num_attention_heads, config.num_hidden_layers) == (dim, heads, depth)
    assert (config.patch_size, config.image_size, config.intermediate_size) == (patch, 224, 4 * dim)
    assert config.layer_norm_eps == 1e-6
    with pytest.raises(ValueError, match="number of heads cannot be told from a width of 96"):
        vit_config({"patch_embed.proj.weight": torch.zeros(96, 3, 4, 4)})


def test_a_vit_without_biases_of_the_queries():
    net = drawn(VisionTransformer(head=torch.nn.Linear(128, 10)), 0)
    state = {k: v for k, v in prefixed("", net).items() if not k.endswith("qkv.bias")}
    for layer in net.blocks:
        layer.attn.qkv.bias.data.zero_()
    model, *_ = convert_checkpoint(METHODS["supervised"].convert, SupervisedForPreTraining, state)
    assert not model.config.backbone_config.qkv_bias
    with torch.no_grad():
        embedding = model.encoder()(SMALL).pooler_output
        torch.testing.assert_close(embedding, net.embed(SMALL), atol=1e-5, rtol=1e-5)


def convert(state):
    return convert_checkpoint(METHODS["supervised"].convert, SupervisedForPreTraining, state)


def resnet(**kwargs):
    return prefixed("", ResNet(bottleneck=False, fc=torch.nn.Linear(64, 10), **kwargs))


def test_the_report():
    state = resnet()
    gone = [name for name in state if ".bn" in name and name.endswith("bias")]
    for name in gone[:10]:
        del state[name]
    with pytest.raises(ValueError, match=rf"^missing {', '.join(gone[:10])}$"):
        convert(state)
    state = resnet() | {f"extra.{i}": torch.ones(1) for i in range(14)}
    with pytest.raises(ValueError, match=r"^unexpected extra.0, extra.1, .*extra.9 and 4 more$"):
        convert(state)
    state = resnet()
    del state["bn1.bias"]
    state["fc.bias"] = torch.zeros(11)
    with pytest.raises(ValueError, match=r"^missing bn1.bias; wrong fc.bias of shape \(11,\) instead of \(10,\)$"):
        convert(state)
    assert listed(list("abc")) == "a, b, c"


def test_networks_that_only_look_like_a_resnet():
    state = resnet() | {"conv1.weight": torch.zeros(8, 3, 3, 3)}  # for small images
    with pytest.raises(ValueError, match=r"wrong conv1.weight of shape \(8, 3, 3, 3\) instead of \(8, 3, 7, 7\)"):
        convert(state)
    state = prefixed("", ResNet(fc=torch.nn.Linear(256, 10)))
    state["layer1.0.conv2.weight"] = torch.zeros(16, 16, 3, 3)  # torchvision's wide_resnet50_2
    with pytest.raises(ValueError, match="wrong layer1.0.conv2.weight"):
        convert(state)
    state = resnet() | {"conv1.weight": torch.tensor(1.0)}
    with pytest.raises(ValueError, match=r"conv1.weight has the shape \(\) instead of 4 dimensions"):
        convert(state)


def test_shapes_that_would_fill_the_memory():
    state = LAYOUTS["moco_v2"]().checkpoint["state_dict"]
    state["module.encoder_q.fc.0.weight"] = torch.zeros(10**6, 1)
    state["module.encoder_q.fc.2.weight"] = torch.zeros(10**6, 1)
    with pytest.raises(ValueError, match=r"encoder_q.fc.2.weight of shape \(1000000, 1\) instead of \(10{6}, 10{6}\)"):
        convert_checkpoint(METHODS["moco_v2"].convert, MoCoV2ForPreTraining, {"state_dict": state})


def test_half_precision_becomes_float():
    state = {name: t.half() if t.is_floating_point() else t for name, t in resnet().items()}
    model, *_ = convert(state)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert torch.equal(model.classifier.bias, state["fc.bias"].float())


def test_only_tensors_by_name():
    for checkpoint in ({}, {"epoch": 3}, {"w": torch.ones(2), "epoch": 3}, {"w": torch.ones(2, device="meta")}):
        with pytest.raises(ValueError, match="there are no tensors"):
            state_dict(checkpoint)
    with pytest.raises(ValueError, match="there are no tensors under 'model', but list"):
        state_dict({"model": [1]}, "model")
    with pytest.raises(ValueError, match="there are no tensors under 'model', but w"):
        state_dict({"model": {"w": torch.ones(2).to_sparse()}}, "model")
