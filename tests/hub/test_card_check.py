"""The fingerprint of a card is that of its encoder, in a process that has never heard of hf_ssl, and of no other."""

import pytest
import torch
from transformers import AutoImageProcessor, AutoModel

from hf_ssl.hub import build_card, embedding_check, export_pretrained, native_image_processor
from hf_ssl.hub.card_check import same_embedding
from hf_ssl.registry import METHODS

from ..clean_process import check_of, run_checks
from ..conftest import BACKBONES, build_model, build_processor


def grey_model():
    config = BACKBONES["vit"]()
    config.num_channels = 1
    torch.manual_seed(0)
    return METHODS["simclr"].pretraining_class(
        METHODS["simclr"].config_class(backbone_config=config, projection_sizes=[16, 8])
    )


GREY = {"do_convert_rgb": False, "image_mean": [0.449], "image_std": [0.226]}
CASES = {
    "vit": (lambda: build_model("simclr", "vit"), "simclr", {}),
    "resnet": (lambda: build_model("simclr", "resnet"), "simclr", {}),
    "swin": (lambda: build_model("dino", "swin"), "dino", {}),
    "mean of the patches": (lambda: build_model("mae"), "mae", {}),
    "grey": (grey_model, "simclr", GREY),
    "resized and cropped": (lambda: build_model("simclr"), "simclr", {"size": {"shortest_edge": 41}}),
    "half precision": (lambda: build_model("simclr").to(torch.bfloat16), "simclr", {}),
}


@pytest.fixture(scope="module")
def repositories(tmp_path_factory):
    """Name -> (folder, code of its card)."""
    root, found = tmp_path_factory.mktemp("repositories"), {}
    for name, (build, method, attributes) in CASES.items():
        model, processor = build().eval(), build_processor(method, **attributes)
        text = build_card(METHODS[method], model, processor, results=None, run=None, figures=[])
        folder = export_pretrained(model, processor, root / name.replace(" ", "-"), text)
        found[name] = folder, check_of(text, folder)
    return found


def test_the_code_of_a_card_finds_its_encoder_to_1e_6_and_no_other(repositories):
    codes = [code for _, code in repositories.values()]
    vit, resnet = (repositories[name][0] for name in ("vit", "resnet"))
    codes.append(repositories["vit"][1].replace(str(vit), str(repositories["resized and cropped"][0])))
    other = build_model("simclr", seed=1).eval()
    export_pretrained(other, build_processor("simclr"), vit.parent / "other")
    codes.append(repositories["vit"][1].replace(str(vit), str(vit.parent / "other")))
    *same, resized, wrong = run_checks(codes)
    assert len(same) == len(CASES) and all(difference <= 1e-6 for difference in same), same
    assert isinstance(resized, str) and isinstance(wrong, str)


def test_the_repository_gives_the_check_of_the_model(repositories):
    for name, (build, method, attributes) in CASES.items():
        folder = repositories[name][0]
        model, processor = build().eval(), build_processor(method, **attributes)
        ours = embedding_check(model.native_encoder(), native_image_processor(processor))
        loaded = embedding_check(AutoModel.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder))
        assert same_embedding(ours, loaded), name
        assert ours["shape"] == ([32, 32] if name == "grey" else [41, 41, 3] if "crop" in name else [32, 32, 3])
        assert (
            len(ours["first"]) == 8
            and ours["dim"]
            == model.native_encoder()(
                torch.zeros(1, 1 if name == "grey" else 3, 32, 32, dtype=model.native_encoder().dtype)
            ).pooler_output.numel()
        )


def test_same_embedding():
    one = {"shape": [32, 32], "dim": 9, "first": [1.0, -2.0, 0.5]}
    assert same_embedding(one, {**one, "first": [1.0001, -2.0, 0.5]}) and same_embedding(None, None)
    for other in (
        {**one, "first": [1.001, -2.0, 0.5]},
        {**one, "first": [1.0, -2.0]},
        {**one, "first": [float("nan"), -2.0, 0.5]},
        {**one, "dim": 8},
        {**one, "shape": [32, 32, 3]},
        None,
    ):
        assert not same_embedding(one, other) and not same_embedding(other, one)


def test_an_encoder_that_has_diverged_is_called_broken():
    model = build_model("simclr").eval()
    with torch.no_grad():
        model.backbone.layernorm.weight.fill_(torch.nan)
    text = build_card(METHODS["simclr"], model, build_processor("simclr"), results=None, run=None, figures=[])
    assert "not finite: this encoder is broken" in text and "difference" not in text
