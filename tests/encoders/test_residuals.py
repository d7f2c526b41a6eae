"""Fresh ResNets start as the identity where the official code's do; what was trained stays."""

import pytest
import torch

from hf_ssl.registry import METHODS

from ..conftest import BACKBONES, backbones_of, tiny_config

# torchvision's zero_init_residual (Barlow Twins, VICReg, SimSiam), init_zero (SimCLR), scale_init (BYOL's haiku).
AS_IDENTITY = {"barlow_twins", "vicreg", "simsiam", "simclr", "byol"}


def gains(model):
    return [layer.layer[-1].normalization.weight for stage in model.encoder.stages for layer in stage.layers]


def fresh(method):
    row = METHODS[method]
    return row.pretraining_class(row.config_class(**tiny_config(method), backbone_config=BACKBONES["resnet"]()))


@pytest.mark.parametrize("method", [method for method in METHODS if "resnet" in backbones_of(method)])
def test_the_last_gain_of_a_block_starts_at_zero_where_the_official_code_says_so(method):
    model = fresh(method)
    expected = 0.0 if method in AS_IDENTITY else 1.0
    assert all((gain == expected).all() for gain in gains(model.backbone))
    first = model.backbone.encoder.stages[0].layers[0].layer[0].normalization.weight
    assert (first == 1).all() and (model.backbone.embedder.embedder.normalization.weight == 1).all()
    if method == "byol":  # the target starts from the network
        assert all((gain == expected).all() for gain in gains(model.target.backbone))


def test_a_trained_encoder_is_not_touched(tmp_path):
    model = fresh("barlow_twins")
    with torch.no_grad():
        for gain in gains(model.backbone):
            gain.fill_(0.5)
    model.save_pretrained(tmp_path / "method")
    model.backbone.save_pretrained(tmp_path / "encoder")
    again = type(model).from_pretrained(tmp_path / "method")
    around = type(model).from_backbone(str(tmp_path / "encoder"), tiny_config("barlow_twins"))
    for loaded in (again, around):
        assert all((gain == 0.5).all() for gain in gains(loaded.backbone))
