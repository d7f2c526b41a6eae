"""Bags of visual words against slow, independent formulas; the vocabulary as a queue; the weight generator."""

import pytest
import torch
import torch.nn.functional as F

from hf_ssl.nn.losses import soft_cross_entropy
from hf_ssl.nn.visual_words import Vocabulary, WeightGenerator


def build(length=6, dim=4, sharpness=3.0, momentum=0.9, border=1, seed=0):
    vocabulary = Vocabulary(length, dim, sharpness, momentum, border)
    vocabulary.rows.copy_(torch.randn(length, dim, generator=torch.Generator().manual_seed(seed)))
    return vocabulary


def maps(batch=3, dim=4, side=6, seed=1):
    return torch.randn(batch, dim, side, side, generator=torch.Generator().manual_seed(seed))


def naive_bags(features, words, sharpness, border):
    """Place by place and word by word, in double precision. Also the mean distance to the nearest word."""
    features, words = features.double(), words.double()
    side = features.shape[-1]
    inside, bags, nearest = range(border, side - border), [], []
    for image in features:
        codes = []
        for y in inside:
            for x in inside:
                d = torch.stack([((image[:, y, x] - w) ** 2).sum() for w in words])
                nearest.append(d.min())
                e = torch.exp(-sharpness * d)
                codes.append(e / e.sum())
        bag = torch.stack([max(c[k] for c in codes) for k in range(len(words))])
        bags.append(bag / bag.sum())
    return torch.stack(bags), torch.stack(nearest).mean()


@pytest.mark.parametrize("border", [0, 1, 2])
def test_bags_in_evaluation(border):
    vocabulary = build(border=border).eval()
    vocabulary.min_distance.fill_(1.7)
    before = {k: v.clone() for k, v in vocabulary.state_dict().items()}
    bags = vocabulary(maps())
    expected, _ = naive_bags(maps(), vocabulary.rows, 3.0 / 1.7, border)
    torch.testing.assert_close(bags.double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(bags.sum(1), torch.ones(3))
    assert all(torch.equal(before[k], v) for k, v in vocabulary.state_dict().items())


def test_training_adapts_the_sharpness_first_and_the_words_last():
    vocabulary = build().train()
    mean = 0.5
    for step in range(4):
        features, words = maps(seed=step), vocabulary.rows.clone()
        _, nearest = naive_bags(features, words, 1.0, 1)
        mean = 0.9 * mean + 0.1 * nearest.item()
        expected, _ = naive_bags(features, words, 3.0 / mean, 1)
        torch.testing.assert_close(vocabulary(features).double(), expected, atol=1e-5, rtol=0)
        assert vocabulary.min_distance.item() == pytest.approx(mean, abs=1e-5)
        assert not torch.equal(vocabulary.rows, words)


def test_each_image_gives_one_local_mean_and_the_oldest_words_leave():
    vocabulary, seen = build().train(), []
    start = vocabulary.rows.clone()
    for step, batch in enumerate((2, 3, 2)):
        features = maps(batch, seed=step)
        vocabulary(features)
        assert vocabulary.updates == step + 1
        places = [(vocabulary.pointer.item() - batch + i) % 6 for i in range(batch)]
        for i, at in enumerate(places):
            # The 4 x 4 inside the border has 2 x 2 windows of 3 x 3.
            windows = [features[i, :, y : y + 3, x : x + 3].mean((1, 2)) for y in (1, 2) for x in (1, 2)]
            distance = torch.stack([(vocabulary.rows[at] - w).abs().max() for w in windows])
            assert distance.min() < 1e-6
            seen.append(distance.argmin().item())
        if step == 0:
            assert torch.equal(vocabulary.rows[2:], start[2:])
    assert vocabulary.pointer == 1 and len(set(seen)) > 1


def test_the_draws_depend_on_the_saved_state_alone():
    first = build().train()
    for step in range(2):
        first(maps(seed=step))
    torch.manual_seed(99)
    second = build(seed=5).train()
    second.load_state_dict(first.state_dict())
    for step in range(2, 5):
        torch.rand(step)  # the global generator plays no part
        assert torch.equal(first(maps(seed=step)), second(maps(seed=step)))
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    assert first.updates == 5


def test_small_maps_are_averaged_as_far_as_they_go():
    vocabulary = build(border=0).train()
    features = maps(2, side=2)
    vocabulary(features)
    torch.testing.assert_close(vocabulary.rows[:2], features.mean((2, 3)))


def test_it_starts_as_the_positive_part_of_noise_and_alike_everywhere():
    torch.manual_seed(0)
    first = Vocabulary(500, 8, 15.0, 0.99, 1)
    torch.manual_seed(1)
    assert torch.equal(first.rows, Vocabulary(500, 8, 15.0, 0.99, 1).rows)
    assert (first.rows >= 0).all() and (first.rows == 0).float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert first.rows.max() > 2 and first.min_distance == 0.5


def test_errors():
    with pytest.raises(ValueError, match="7 images at once do not fit a vocabulary of 6 words: raise vocabulary_size"):
        build().train()(maps(7))
    with pytest.raises(ValueError, match="A feature map of 2x2 has no places inside a border of 1: set border lower"):
        build()(maps(side=2))


def test_generated_weights_are_unit_and_follow_the_words():
    torch.manual_seed(0)
    generator = WeightGenerator(4, 10, 5)
    words = torch.randn(7, 4)
    weights = generator(words)
    assert weights.shape == (7, 5) and weights.dtype == torch.float32
    torch.testing.assert_close(weights.norm(dim=1), torch.ones(7))
    torch.testing.assert_close(generator(3 * words), weights, atol=1e-5, rtol=1e-5)  # only the direction of a word
    assert not torch.allclose(generator(-words), weights, atol=0.1)
    hidden = F.linear(words / words.norm(dim=1, keepdim=True), generator[0].weight)
    hidden = (hidden - hidden.mean(0)) / (hidden.var(0, correction=0) + 1e-5).sqrt()
    expected = F.linear(hidden.clamp(min=0), generator[3].weight, generator[3].bias)
    torch.testing.assert_close(weights, expected / expected.norm(dim=1, keepdim=True), atol=1e-5, rtol=1e-5)
    assert generator[0].bias is None and generator[3].bias is not None


def test_soft_cross_entropy_in_value_and_gradient():
    torch.manual_seed(0)
    targets = torch.rand(3, 1, 5, dtype=torch.float64)
    targets = targets / targets.sum(-1, keepdim=True)
    logits = (3 * torch.randn(3, 2, 5, dtype=torch.float64)).requires_grad_()
    value = 0.0
    for i in range(3):
        for v in range(2):
            p = torch.exp(logits[i, v]) / torch.exp(logits[i, v]).sum()
            value = value - sum(targets[i, 0, k] * torch.log(p[k]) for k in range(5)) / 6
    ours = soft_cross_entropy(targets, logits)
    torch.testing.assert_close(ours.double(), value, atol=1e-5, rtol=0)
    gradients = [torch.autograd.grad(x, logits)[0] for x in (ours, value)]
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-5)
    assert soft_cross_entropy(targets, torch.zeros(3, 2, 5)).item() == pytest.approx(1.609438, abs=1e-5)
