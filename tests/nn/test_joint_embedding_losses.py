"""The objectives of the joint-embedding family against slow, independent formulas, in value and gradient."""

import pytest
import torch
import torch.nn.functional as F

from hf_ssl.nn.losses import barlow_twins, info_nce, negative_cosine, vicreg


def unit(*shape):
    return F.normalize(torch.randn(*shape, dtype=torch.float64), dim=-1)


def naive_info_nce(q, k, negatives, temperature):
    terms = []
    for i in range(len(q)):
        positive = torch.exp(q[i] @ k[i] / temperature)
        terms.append(-torch.log(positive / (positive + sum(torch.exp(q[i] @ n / temperature) for n in negatives))))
    return sum(terms) / len(terms)


def naive_negative_cosine(p, z):
    return -sum((a / a.norm()) @ (b / b.norm()) for a, b in zip(p, z, strict=True)) / len(p)


def naive_barlow_twins(a, b, weight):
    columns = []
    for z in (a, b):
        columns.append([(c - c.mean()) / (c.var(correction=0) + 1e-5).sqrt() for c in z.T])
    total = 0.0
    for i, x in enumerate(columns[0]):
        for j, y in enumerate(columns[1]):
            c = (x * y).mean()
            total = total + ((1 - c) ** 2 if i == j else weight * c**2)
    return total


def naive_vicreg(a, b):
    invariance = sum((x - y) ** 2 for x, y in zip(a.flatten(), b.flatten(), strict=True)) / a.numel()
    variance = covariance = 0.0
    for z in (a, b):
        columns = list(z.T)
        for i, x in enumerate(columns):
            std = (((x - x.mean()) ** 2).sum() / (len(x) - 1) + 1e-4).sqrt()
            variance = variance + torch.clamp(1 - std, min=0) / len(columns) / 2
            for j, y in enumerate(columns):
                if i != j:
                    c = ((x - x.mean()) * (y - y.mean())).sum() / (len(x) - 1)
                    covariance = covariance + c**2 / len(columns)
    return torch.stack([invariance, variance, covariance])


@pytest.mark.parametrize(
    ("ours", "naive", "arguments"),
    [
        (info_nce, naive_info_nce, lambda: (unit(5, 6), unit(5, 6), unit(9, 6), 0.2)),
        (negative_cosine, naive_negative_cosine, lambda: (3 * unit(5, 6), 2 * unit(5, 6))),
        (barlow_twins, naive_barlow_twins, lambda: (3 * unit(7, 4) + 1, 2 * unit(7, 4), 0.0051)),
        (lambda *z: torch.stack(vicreg(*z)), naive_vicreg, lambda: (unit(7, 4), 2 * unit(7, 4) - 1)),
    ],
    ids=["info_nce", "negative_cosine", "barlow_twins", "vicreg"],
)
def test_value_and_gradient(ours, naive, arguments):
    torch.manual_seed(0)
    arguments = arguments()
    first = arguments[0].requires_grad_()
    results = []
    for function in (ours, naive):
        value = function(*arguments)
        weights = torch.arange(1.0, value.numel() + 1, dtype=value.dtype).view(value.shape)
        results.append((value.double(), torch.autograd.grad((value * weights).sum(), first)[0]))
    torch.testing.assert_close(results[0][0], results[1][0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(results[0][1], results[1][1], atol=1e-5, rtol=1e-5)


def test_the_optimum_of_each():
    torch.manual_seed(0)
    z = torch.linalg.qr(torch.randn(64, 8) - torch.randn(64, 8).mean(0)).Q
    z = torch.linalg.qr(z - z.mean(0)).Q * 64**0.5  # centred, uncorrelated, unit variance
    z = z - z.mean(0)
    assert barlow_twins(z, z, 0.0051).item() == pytest.approx(0, abs=1e-3)
    assert [round(term.item(), 2) for term in vicreg(z, z)] == [0, 0, 0]
    assert vicreg(0 * z, 0 * z)[1].item() == pytest.approx(0.99, abs=1e-6)  # 1 - sqrt(1e-4): collapsed
    assert negative_cosine(z, 2 * z).item() == pytest.approx(-1)
    assert negative_cosine(torch.zeros(2, 3), torch.ones(2, 3)).isfinite()
