"""BYOL, SimSiam, Barlow Twins and VICReg: their wiring around losses that tests/nn covers."""

from itertools import permutations

import pytest
import torch

from hf_ssl import BarlowTwinsImageProcessor, BYOLConfig, BYOLImageProcessor, SimSiamConfig, VICRegConfig

from ..conftest import build_model, build_processor, build_views
from ..nn.test_joint_embedding_losses import naive_barlow_twins, naive_negative_cosine, naive_vicreg

methods = pytest.mark.parametrize("method", ["byol", "simsiam", "barlow_twins", "vicreg"])


def projections(model, views):
    return [model.projector(model.encoder()(v).pooler_output) for v in views.unbind(1)]


def expected_loss(method, model, views):
    z = projections(model, views)
    if method == "barlow_twins":
        return naive_barlow_twins(*z, 0.0051)
    if method == "vicreg":
        return (naive_vicreg(*z) * torch.tensor([25.0, 25.0, 1.0])).sum()
    p = [model.predictor(x) for x in z]
    if method == "simsiam":
        return (naive_negative_cosine(p[0], z[1]) + naive_negative_cosine(p[1], z[0])) / 2
    twin = model.target
    t = [twin.projector(twin.backbone(v).last_hidden_state[:, 0]) for v in views.unbind(1)]
    return 4 + 2 * naive_negative_cosine(p[0], t[1]) + 2 * naive_negative_cosine(p[1], t[0])


@methods
def test_the_model_computes_the_papers_loss(method):
    model = build_model(method).train()
    views = build_views(method)["pixel_values"]
    expected = expected_loss(method, model, views)
    torch.testing.assert_close(model(views).loss, expected, atol=1e-5, rtol=1e-5)


@methods
def test_more_views_are_all_pairs(method):
    model = build_model(method).eval()
    views = dict(
        build_processor(method, views_per_image=3).views(image=torch.rand(4, 3, 32, 32), generator=torch.Generator())
    )["pixel_values"]
    pairs = [model(views[:, list(pair)]).loss for pair in permutations(range(3), 2)]
    torch.testing.assert_close(model(views).loss, torch.stack(pairs).mean(), atol=1e-5, rtol=1e-5)


@methods
def test_each_view_has_its_own_batch_statistics(method):
    model = build_model(method, "resnet").train()
    norm = next(m for m in model.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d))
    model(build_views(method)["pixel_values"])
    assert norm.num_batches_tracked == 2


def test_the_gradient_of_simsiam_stops_at_the_projections():
    model = build_model("simsiam").train()
    views = build_views("simsiam")["pixel_values"]
    z = projections(model, views)
    p = [model.predictor(x) for x in z]
    constants = [x.detach().clone() for x in z]
    expected = (naive_negative_cosine(p[0], constants[1]) + naive_negative_cosine(p[1], constants[0])) / 2
    weight = model.projector[0].weight
    expected = torch.autograd.grad(expected, weight)[0]
    actual = torch.autograd.grad(model(views).loss, weight)[0]
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=1e-4)
    assert expected.abs().max() > 1e-5


def test_simsiam_logs_its_collapse():
    model = build_model("simsiam").train()
    views = build_views("simsiam")["pixel_values"]
    healthy = model(views).logs["projection_std"]
    model.eval()
    collapsed = model(views[:1].expand_as(views)).logs["projection_std"]
    assert healthy > 0.5 and collapsed < 1e-5


@pytest.mark.parametrize(("step", "momentum"), [(0, 0.996), (5, 0.998), (10, 1.0)])
def test_the_target_of_byol_slows_down(step, momentum):
    model = build_model("byol", target_momentum=0.996)
    old = {n: p.clone() for n, p in model.target.named_parameters()}
    model.after_optimizer_step(step, 10)
    for name, p in model.target.named_parameters():
        expected = momentum * old[name] + (1 - momentum) * model.get_parameter(name)
        torch.testing.assert_close(p, expected, atol=1e-7, rtol=1e-6)


def test_official_heads():
    """Layers as in the releases, so that their weights fit: which layer has a bias, which norm learns."""

    def layers(head):
        return [(type(m).__name__, "bias" in m._parameters and m.bias is not None) for m in head]

    hidden, plain = [("Linear", False), ("BatchNorm1d", True), ("ReLU", False)], ("BatchNorm1d", False)
    biased = [("Linear", True), *hidden[1:]]
    assert layers(build_model("byol").projector) == [*biased, ("Linear", False)]
    assert layers(build_model("simsiam").projector) == [*hidden, *hidden, ("Linear", False), plain]
    assert layers(build_model("simsiam").predictor) == [*hidden, ("Linear", True)]
    assert layers(build_model("barlow_twins").projector) == [*hidden, ("Linear", False)]
    assert layers(build_model("vicreg").projector) == [*biased, ("Linear", False)]
    assert layers(build_model("moco_v2").projector) == [("Linear", True), ("ReLU", False), ("Linear", True)]
    assert layers(build_model("simclr").projector)[-1] == ("BatchNorm1d", False)


def test_defaults_of_the_papers():
    assert BYOLConfig().target_momentum == 0.996 and BYOLConfig().prediction_sizes == (4096, 256)
    assert SimSiamConfig().projection_sizes == (2048, 2048, 2048) and SimSiamConfig().prediction_size == 512
    c = VICRegConfig()
    assert (c.invariance_weight, c.variance_weight, c.covariance_weight) == (25, 25, 1)
    for cls in (BYOLImageProcessor, BarlowTwinsImageProcessor):
        first, second = cls().policies()["pixel_values"]
        assert (first.blur_probability, second.blur_probability) == (1.0, 0.1)
        assert (first.solarize_probability, second.solarize_probability) == (0.0, 0.2)
        assert (first.brightness, first.contrast, first.saturation, first.hue) == (0.4, 0.4, 0.2, 0.1)


def test_bad_fields():
    with pytest.raises(ValueError, match="prediction_sizes must end with the width of the projection, 256"):
        BYOLConfig(prediction_sizes=[4096, 128])
    with pytest.raises(ValueError, match="variance_weight must be above 0"):
        VICRegConfig(variance_weight=0)
    with pytest.raises(ValueError, match="at least 2 images with at least 2 views"):
        build_model("vicreg")(torch.zeros(1, 2, 3, 32, 32))
