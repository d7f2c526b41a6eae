"""SimCLR (arXiv:2002.05709) beyond its loss, which tests/nn/test_losses.py covers."""

import pytest
import torch

from hf_ssl import SimCLRConfig, SimCLRForPreTraining, SimCLRImageProcessor

from ..conftest import BACKBONES, build_model, build_views
from ..nn.test_losses import naive_nt_xent


def test_the_model_computes_the_papers_loss():
    model = build_model("simclr", "resnet", temperature=0.5).train()
    views = build_views("simclr")["pixel_values"]
    output = model(views)
    torch.testing.assert_close(output.loss, naive_nt_xent(output.projections, 0.5), atol=1e-5, rtol=0)


def test_projections_are_the_head_on_the_embedding():
    model = build_model("simclr").eval()
    views = build_views("simclr")["pixel_values"]
    with torch.no_grad():
        output = model(views)
        for view in range(2):
            h = model.encoder()(views[:, view]).pooler_output
            torch.testing.assert_close(output.projections[:, view], model.projector(h), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(output.embeddings, model.encoder()(views[:, 0]).pooler_output, atol=1e-6, rtol=0)


@pytest.mark.parametrize("shape", [(1, 2, 3, 32, 32), (4, 1, 3, 32, 32), (4, 3, 32, 32)])
def test_nothing_to_compare(shape):
    with pytest.raises(ValueError, match="at least 2 images with at least 2 views"):
        build_model("simclr")(torch.zeros(shape))


def test_bad_fields():
    with pytest.raises(ValueError, match="temperature must be above 0"):
        SimCLRConfig(temperature=0)
    with pytest.raises(ValueError, match="pooling must be None or 'mean'"):
        SimCLRConfig(pooling="max")
    with pytest.raises(ValueError, match="'resnet' has an embedding of its own"):
        SimCLRConfig(pooling="mean", backbone_config=BACKBONES["resnet"]())


def test_wrong_channels_and_images_below_a_patch():
    model = build_model("simclr")
    with pytest.raises(ValueError, match="takes images of 3 channels"):
        model(torch.zeros(2, 2, 1, 32, 32))
    with pytest.raises(ValueError, match="smaller than one patch"):
        model(torch.zeros(2, 2, 3, 4, 4))


def test_mean_pooling_is_the_norm_of_the_mean_patch():
    model = SimCLRForPreTraining(SimCLRConfig(backbone_config=BACKBONES["vit"](), pooling="mean")).eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        before_norm = model.backbone(x, output_hidden_states=True).hidden_states[-1]
        expected = model.backbone.layernorm(before_norm[:, 1:].mean(1))
        torch.testing.assert_close(model.encoder()(x).pooler_output, expected, atol=1e-5, rtol=0)


def test_both_views_follow_one_policy_and_the_strength_of_the_paper():
    first, second = SimCLRImageProcessor().policies()["pixel_values"]
    assert first == second
    assert (first.brightness, first.contrast, first.saturation, first.hue) == (0.8, 0.8, 0.8, 0.2)
    assert (first.jitter_probability, first.grayscale_probability, first.blur_probability) == (0.8, 0.2, 0.5)
    assert first.crop_scale == (0.08, 1.0) and first.size == 224 and first.solarize_probability == 0
