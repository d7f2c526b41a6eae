import pytest
import torch
from transformers import AutoModel, ViTConfig, ViTModel

from hf_ssl.evaluation import effective_rank, extract_features, feature_std, random_init_like, raw_pixels

from .evaluation_cases import CONFIGS


def test_raw_pixels_are_the_pixels():
    pixels = torch.randn(2, 3, 8, 6)
    assert torch.equal(raw_pixels(pixels), pixels.reshape(2, -1))
    assert torch.equal(raw_pixels(pixels, max_side=8), pixels.reshape(2, -1))
    small = raw_pixels(torch.arange(16.0).view(1, 1, 4, 4), max_side=2)
    torch.testing.assert_close(small, torch.tensor([[2.5, 4.5, 10.5, 12.5]]))


@pytest.mark.parametrize("name", CONFIGS)
def test_random_init_is_fresh_and_deterministic(name):
    model = AutoModel.from_config(CONFIGS[name][0])
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.add_(1.0)  # as training would change BatchNorm statistics
    pixels = torch.randn(4, 3, 32, 32)
    state = torch.get_rng_state()
    first, again, other = (random_init_like(model, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    embed = [extract_features(m, None, pixels).embeddings for m in (first, again, other, model)]
    assert torch.equal(embed[0], embed[1])
    assert (embed[0] - embed[2]).abs().max() > 1e-4 and (embed[0] - embed[3]).abs().max() > 1e-4
    assert type(first) is type(model) and not first.training
    assert all(not b.any() for n, b in first.named_buffers() if n.endswith("running_mean"))
    assert all((b == 1).all() for n, b in first.named_buffers() if n.endswith("running_var"))


def test_identity_pooler_is_copied():
    config = ViTConfig(**{**CONFIGS["vit"][0].to_dict(), "pooler_act": "linear"})
    model = ViTModel(config)
    with torch.no_grad():
        model.pooler.dense.weight.copy_(torch.eye(32))
        model.pooler.dense.bias.zero_()
    fresh = random_init_like(model, 0)
    assert torch.equal(fresh.pooler.dense.weight, torch.eye(32))
    output = fresh(torch.randn(2, 3, 32, 32))
    torch.testing.assert_close(output.pooler_output, output.last_hidden_state[:, 0])
    assert not torch.equal(fresh.layers[0].mlp.fc1.weight, model.layers[0].mlp.fc1.weight)


def test_missing_pooler_stays_missing_and_dtype_is_kept():
    model = ViTModel(CONFIGS["vit"][0], add_pooling_layer=False).to(torch.bfloat16)
    fresh = random_init_like(model, 0)
    assert fresh.pooler is None and fresh.dtype == torch.bfloat16
    model = ViTModel(CONFIGS["vit"][0])
    model.pooler = None
    assert random_init_like(model, 0).pooler is None


def test_effective_rank():
    generator = torch.Generator().manual_seed(0)
    line = torch.randn(500, 1, generator=generator) * torch.randn(1, 32, generator=generator)
    assert effective_rank(line) == pytest.approx(1, abs=0.02)
    isotropic = torch.randn(20000, 32, generator=generator)
    assert effective_rank(isotropic) > 31.5
    assert effective_rank(torch.eye(8).repeat(3, 1)) == pytest.approx(8)
    assert 1 < effective_rank(torch.randn(10, 32, generator=generator)) <= 10
    x = isotropic[:300] * torch.logspace(0, -3, 32)
    p = torch.linalg.svdvals(x.double())
    p = p / p.sum()
    assert effective_rank(x) == pytest.approx((-(p * p.log()).sum()).exp().item(), rel=1e-5)
    assert effective_rank(torch.zeros(5, 3)) == 0


def test_feature_std():
    generator = torch.Generator().manual_seed(0)
    isotropic = torch.randn(5000, 32, generator=generator)
    assert feature_std(isotropic) == pytest.approx(1, abs=0.02)
    assert feature_std(10 * isotropic) == pytest.approx(feature_std(isotropic))
    assert feature_std(torch.ones(10, 32)) == pytest.approx(0, abs=1e-6)
    for function in (feature_std, effective_rank):
        with pytest.raises(ValueError, match="NaN"):
            function(isotropic * torch.nan)
        with pytest.raises(ValueError, match="samples, dim"):
            function(torch.zeros(0, 4))
