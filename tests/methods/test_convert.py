"""Converted checkpoints compute what the public networks compute; a checkpoint of anything else is refused."""

import sys
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoImageProcessor, AutoModel, AutoModelForPreTraining

from hf_ssl.cli import main
from hf_ssl.conversion_utils import convert_checkpoint
from hf_ssl.registry import METHODS

from .official import LAYOUTS
from .official.release import IMAGES, SMALL


@pytest.fixture(params=LAYOUTS)
def official(request):
    with torch.no_grad():
        return LAYOUTS[request.param]()


def hf_ssl(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["hf-ssl", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_info:
        main()
    return SimpleNamespace(code=exit_info.value.code, **capsys.readouterr()._asdict())


def assert_equal(actual, expected):
    torch.testing.assert_close(actual.float(), expected.float(), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_same_numbers(official, tmp_path, monkeypatch, capsys):
    file, output = tmp_path / "file.pth.tar", tmp_path / "repository"
    torch.save(official.checkpoint, file)
    done = hf_ssl(monkeypatch, capsys, "convert", official.method, file, output)
    assert done.code == 0, done.err
    assert (f"{file} has no {', '.join(official.fresh)}: as in a new run." in done.out) == bool(official.fresh)

    images = SMALL if official.size == 32 else IMAGES
    assert_equal(AutoModel.from_pretrained(output)(images).pooler_output.flatten(1), official.embed(images))
    model = AutoModelForPreTraining.from_pretrained(output, subfolder="pretraining").eval()
    assert type(model) is METHODS[official.method].pretraining_class
    assert_equal(model.encoder()(images).pooler_output, official.embed(images))
    for name, (expected, ask) in official.outputs.items():
        assert expected.float().std(correction=0) > 1e-2 or expected.dim() == 0, name
        assert_equal(ask(model, images), expected)
    for name, value in official.config.items():
        found = vars(model.config)[name] if name != "num_labels" else model.config.num_labels
        assert (list(found) if isinstance(value, list) else found) == value, name

    processor = AutoImageProcessor.from_pretrained(output, subfolder="pretraining")
    assert processor.inference_size == official.size
    assert processor.do_normalize == (official.method != "simclr")
    assert processor.image_std[0] == (0.228 if official.method in ("swav", "deepcluster_v2") else 0.229)
    card = (output / "README.md").read_text()
    assert "license: other" in card and "`file.pth.tar` (SHA-256 `" in card


@torch.no_grad()
@pytest.mark.parametrize("method", METHODS)
def test_other_methods_are_refused(method):
    if METHODS[method].convert is None:
        pytest.skip("no public checkpoint")
    for name, layout in LAYOUTS.items():
        other = layout()
        if method in (other.method, *other.as_well):
            continue
        try:
            convert_checkpoint(METHODS[method].convert, METHODS[method].pretraining_class, other.checkpoint)
        except ValueError as error:
            assert 10 < len(str(error)) < 1500, name
        else:
            pytest.fail(f"{method} takes a checkpoint of {name}")


@torch.no_grad()
def test_a_missing_tensor_is_refused(official):
    method = METHODS[official.method]
    state = max(
        (v for v in (official.checkpoint, *official.checkpoint.values()) if isinstance(v, dict)),
        key=lambda v: sum(isinstance(t, torch.Tensor) for t in v.values()),
    )
    name = [n for n in state if n.endswith(("2.0.conv1.weight", "blocks.1.norm1.bias"))][-1]
    del state[name]
    with pytest.raises(ValueError, match="missing .*(layer2.0.conv1.weight|blocks.1.norm1.bias)$"):
        convert_checkpoint(method.convert, method.pretraining_class, official.checkpoint)


@torch.no_grad()
def test_every_method_with_a_release_is_tested():
    assert {layout().method for layout in LAYOUTS.values()} == {m for m in METHODS if METHODS[m].convert}


@torch.no_grad()
def test_byol_pytorch_says_what_a_file_lacks():
    method, state = METHODS["byol"], LAYOUTS["byol, byol-pytorch"]().checkpoint

    def convert(checkpoint):
        convert_checkpoint(method.convert, method.pretraining_class, checkpoint)

    for part, name in (("online_encoder.projector.", "projector"), ("online_predictor.", "predictor")):
        with pytest.raises(ValueError, match=rf"^missing online_(encoder\.)?{name}\.0\.weight; unexpected "):
            convert({n: t for n, t in state.items() if not n.startswith(part)})
    with pytest.raises(ValueError, match="use_momentum=False"):
        convert(state | {"online_encoder.projector.6.weight": torch.zeros(12, 32)})


SPOILT = {
    "a scalar": lambda t: torch.zeros(()),
    "five dimensions": lambda t: torch.zeros(2, 2, 2, 2, 2),
    "no size": lambda t: t[:0],
    "sparse": lambda t: t.to_sparse(),
    "complex": lambda t: t.to(torch.complex64),
    "meta": lambda t: t.to("meta"),
    "quantised": lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8),
    "whole": lambda t: t.long(),
    "NaN": lambda t: t * torch.nan,
    "a text": lambda t: "text",
    "a dict": lambda t: {"a": t},
}


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("layout", ["byol, byol-pytorch", "dino", "mae", "obow", "simsiam", "swav"])
def test_spoilt_tensors_are_refused(layout):
    official = LAYOUTS[layout]()
    method = METHODS[official.method]
    state = max(
        (v for v in (official.checkpoint, *official.checkpoint.values()) if isinstance(v, dict)),
        key=lambda v: sum(isinstance(t, torch.Tensor) for t in v.values()),
    )
    ends = ("1.0.conv1.weight", "blocks.0.mlp.fc1.weight")
    name = next(n for n in state if n.endswith(ends) and not n.startswith("net."))  # byol-pytorch has that one twice
    whole = state[name]
    for how, spoil in SPOILT.items():
        state[name] = spoil(whole)
        with pytest.raises(ValueError) as info:
            convert_checkpoint(method.convert, method.pretraining_class, official.checkpoint)
        assert 10 < len(str(info.value)) < 1500 and "Error" not in str(info.value), how
