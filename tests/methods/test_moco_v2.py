"""MoCo v2 (arXiv:2003.04297): whose keys, when they enter the queue, and how the key encoder moves."""

import pytest
import torch
import torch.nn.functional as F

from hf_ssl import MoCoV2Config, MoCoV2ImageProcessor

from ..conftest import build_model, build_views
from ..nn.test_joint_embedding_losses import naive_info_nce


def encodings(model, views):
    """Queries and keys of both views, each from its own pass."""
    q = [F.normalize(model.projector(model.encoder()(v).pooler_output), dim=1) for v in views.unbind(1)]
    twin = model.target
    k = [F.normalize(twin.projector(twin.backbone(v).last_hidden_state[:, 0]), dim=1) for v in views.unbind(1)]
    return q, k


@pytest.mark.parametrize("symmetric", [False, True])
def test_loss_and_queue(symmetric):
    model = build_model("moco_v2", symmetric_loss=symmetric, temperature=0.3).train()
    views = build_views("moco_v2")["pixel_values"]
    before = model.queue.rows.clone()
    q, k = encodings(model, views)
    expected = naive_info_nce(q[0], k[1], before, 0.3)
    if symmetric:
        expected = (expected + naive_info_nce(q[1], k[0], before, 0.3)) / 2
    output = model(views)
    torch.testing.assert_close(output.loss, expected, atol=1e-5, rtol=0)
    entered = torch.cat([k[1], k[0]]) if symmetric else k[1]
    torch.testing.assert_close(model.queue.rows[: len(entered)], entered, atol=1e-6, rtol=0)
    assert torch.equal(model.queue.rows[len(entered) :], before[len(entered) :])
    assert model.queue.pointer == len(entered)


def test_evaluation_leaves_the_queue():
    model = build_model("moco_v2").eval()
    before = model.queue.rows.clone()
    assert model(build_views("moco_v2")["pixel_values"]).loss.isfinite()
    assert torch.equal(model.queue.rows, before) and model.queue.pointer == 0


@pytest.mark.parametrize("method", ["moco_v2", "infomin"])
def test_the_key_encoder_follows_at_a_constant_pace(method):
    model = build_model(method, target_momentum=0.9)
    old = {n: p.clone() for n, p in model.target.named_parameters()}
    model.after_optimizer_step(0, 10)
    model.after_optimizer_step(9, 10)
    for name, p in model.target.named_parameters():
        torch.testing.assert_close(p, 0.81 * old[name] + 0.19 * model.get_parameter(name), atol=1e-6, rtol=1e-5)


def test_errors():
    with pytest.raises(ValueError, match="A queue of 16 keys on 12 images .*queue_length to at most 12"):
        build_model("moco_v2").size_for(12)
    with pytest.raises(ValueError, match="exactly 2 views"):
        build_model("moco_v2")(torch.zeros(4, 3, 3, 32, 32))
    with pytest.raises(ValueError, match="target_momentum must lie in"):
        MoCoV2Config(target_momentum=1.5)
    with pytest.raises(ValueError, match="queue_length must be above 0"):
        MoCoV2Config(queue_length=0)


def test_only_batch_norm_is_worth_shuffling():
    assert build_model("moco_v2", "resnet").shuffles and not build_model("moco_v2", "vit").shuffles
    assert not build_model("moco_v2", "resnet", shuffle_batch_norm=False).shuffles


def test_views_of_the_official_code():
    first, second = MoCoV2ImageProcessor().policies()["pixel_values"]
    assert first == second and first.crop_scale == (0.2, 1.0) and first.blur_probability == 0.5
    assert (first.brightness, first.contrast, first.saturation, first.hue) == (0.4, 0.4, 0.4, 0.1)
