"""Feature maps of native encoders: which level, in which shape, after which norm."""

import pytest
import torch
from transformers import AutoModel, SwinConfig, ViTConfig

from hf_ssl.encoders import encoder_for

from ..conftest import BACKBONES


def feature_levels(config, levels=None):
    return encoder_for(config).feature_levels(levels)


def maps_of(backbone, x, levels=None):
    levels, widths = feature_levels(backbone.config, levels)
    with torch.no_grad():
        return encoder_for(backbone.config).tokens(backbone, x, levels=levels).levels, widths


SIDES = {"vit": (4, 4), "dinov2": (4, 4), "resnet": (8, 4), "convnext": (8, 4), "swin": (16, 8)}


@pytest.mark.parametrize("name", SIDES)
def test_shapes_and_widths_agree(name):
    backbone = AutoModel.from_config(BACKBONES[name]()).eval()
    maps, widths = maps_of(backbone, torch.randn(2, 3, 32, 32))
    assert [tuple(m.shape) for m in maps] == [(2, w, s, s) for w, s in zip(widths, SIDES[name], strict=True)]


def test_vit_levels_are_normed_patches_in_image_order():
    backbone = AutoModel.from_config(BACKBONES["vit"]()).eval()
    x = torch.randn(2, 3, 32, 32)
    maps, _ = maps_of(backbone, x)
    with torch.no_grad():
        outputs = backbone(x, output_hidden_states=True)
    last = outputs.last_hidden_state[:, 1:].transpose(1, 2).reshape(2, 48, 4, 4)
    torch.testing.assert_close(maps[1], last)
    first = backbone.layernorm(outputs.hidden_states[1])[:, 1 + 4 * 2 + 3]
    torch.testing.assert_close(maps[0][:, :, 2, 3], first)


def test_the_last_level_of_a_resnet_is_its_output_and_the_mean_of_it_the_embedding():
    backbone = AutoModel.from_config(BACKBONES["resnet"]()).eval()
    x = torch.randn(2, 3, 32, 32)
    (last,), _ = maps_of(backbone, x, [-1])
    with torch.no_grad():
        outputs = backbone(x)
    assert torch.equal(last, outputs.last_hidden_state)
    torch.testing.assert_close(last.mean((2, 3)), outputs.pooler_output.flatten(1))


def test_default_levels():
    assert feature_levels(ViTConfig())[0] == [-4, -1]  # 12 layers: the ninth and the last
    assert feature_levels(ViTConfig(num_hidden_layers=3))[0] == [-2, -1]
    assert feature_levels(SwinConfig()) == ([-2, -1], [384, 768])
    assert feature_levels(BACKBONES["resnet"](), [-1]) == ([-1], [32])


@pytest.mark.parametrize("levels", [[], [0], [-3], [-1, -1]])
def test_levels_that_do_not_exist(levels):
    with pytest.raises(ValueError, match="levels must be different numbers from -2 to -1"):
        feature_levels(BACKBONES["resnet"](), levels)
