"""Sinkhorn-Knopp against the matrix that the official code rescales, in double precision."""

import numpy as np
import pytest
import torch

from hf_ssl.nn.assignment import sinkhorn


def naive_sinkhorn(scores, epsilon, iterations):
    """A prototype's total first, then a sample's, on the whole matrix of prototypes by samples."""
    q = np.exp(scores.double().numpy().T / epsilon)
    prototypes, samples = q.shape
    q = q / q.sum()
    for _ in range(iterations):
        for k in range(prototypes):
            q[k] = q[k] / q[k].sum() / prototypes
        for b in range(samples):
            q[:, b] = q[:, b] / q[:, b].sum() / samples
    return torch.from_numpy(q.T * samples)


@pytest.mark.parametrize("iterations", [1, 3, 10])
@pytest.mark.parametrize(("samples", "prototypes"), [(12, 5), (5, 12), (1, 4)])
@pytest.mark.parametrize("epsilon", [0.05, 0.5])
def test_equals_the_naive_formula(samples, prototypes, iterations, epsilon):
    scores = torch.rand(samples, prototypes, generator=torch.Generator().manual_seed(0)) * 2 - 1
    q = sinkhorn(scores, epsilon, iterations)
    assert q.dtype == torch.float32
    torch.testing.assert_close(q.double(), naive_sinkhorn(scores, epsilon, iterations), atol=1e-5, rtol=0)
    torch.testing.assert_close(q.sum(1), torch.ones(samples), atol=1e-6, rtol=0)


def test_prototypes_come_before_samples():
    q = torch.tensor([[1.0, 0.5], [0.2, -0.3], [0.9, 0.9]])
    matrix = (q / 0.5).exp()
    by_prototype = matrix / matrix.sum(0)
    expected = by_prototype / by_prototype.sum(1, keepdim=True)
    torch.testing.assert_close(sinkhorn(q, 0.5, 1), expected, atol=1e-6, rtol=0)
    assert not torch.allclose(sinkhorn(q, 0.5, 1), (q / 0.5).softmax(1), atol=1e-3)


def test_in_the_end_all_prototypes_have_the_same_share():
    scores = torch.rand(30, 6, generator=torch.Generator().manual_seed(0))
    scores[:, 0] += 1  # everybody's first choice
    assert (scores.argmax(1) == 0).all()
    q = sinkhorn(scores, 0.1, 300)
    torch.testing.assert_close(q.sum(0), torch.full((6,), 5.0), atol=1e-3, rtol=0)
    assert sinkhorn(scores, 0.1, 3).sum(0)[0] < 6


def test_scores_of_any_size_and_type():
    scores = 40 * torch.randn(8, 6, generator=torch.Generator().manual_seed(0))  # exp(scores / 0.05) is infinite
    q = sinkhorn(scores, 0.05, 3)
    assert q.isfinite().all() and q.min() >= 0
    shifted = sinkhorn(scores + 1000, 0.05, 3)
    torch.testing.assert_close(q.argmax(1), shifted.argmax(1))
    half = (scores / 100).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(sinkhorn(half, 0.05, 3), sinkhorn(half.float(), 0.05, 3))


def test_no_gradient_flows():
    scores = torch.randn(4, 3, requires_grad=True)
    assert not sinkhorn(scores, 0.05, 3).requires_grad
