"""Spherical k-means: planted clusters, a naive Lloyd, and what happens to a cluster that nobody joins."""

import torch
import torch.nn.functional as F

from hf_ssl.nn import kmeans
from hf_ssl.nn.kmeans import nearest_centroids, spherical_kmeans


def unit(*shape, seed=0):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def naive_lloyd(features, centroids, iterations):
    """Sample by sample, in double precision."""
    features, centroids = features.double(), [c.double() for c in centroids]

    def assign():
        return [max(range(len(centroids)), key=lambda k: float(f @ centroids[k])) for f in features]

    for _ in range(iterations):
        clusters = assign()
        for k in range(len(centroids)):
            members = [f for f, own in zip(features, clusters, strict=True) if own == k]
            if members:
                mean = sum(members) / len(members)
                centroids[k] = mean / mean.norm()
    return torch.stack(centroids), torch.tensor(assign())


def test_equals_a_naive_lloyd_from_the_same_start():
    features = unit(60, 5)
    for iterations in (0, 1, 10):
        centroids, clusters = spherical_kmeans(features, features[:7], iterations)
        expected = naive_lloyd(features, features[:7], iterations)
        torch.testing.assert_close(centroids.double(), expected[0], atol=1e-5, rtol=0)
        assert torch.equal(clusters, expected[1])


def test_finds_planted_clusters():
    planted = torch.eye(6)
    truth = torch.arange(120) % 6
    features = F.normalize(planted[truth] + 0.1 * unit(120, 6), dim=-1)
    centroids, clusters = spherical_kmeans(features, features[:6], 10)
    assert torch.equal(clusters, truth)
    torch.testing.assert_close(centroids, planted, atol=0.05, rtol=0)


def test_an_empty_cluster_keeps_its_centroid():
    features = F.normalize(torch.tensor([[1.0, 0.1], [1.0, -0.1], [0.1, 1.0]]), dim=-1)
    start = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    centroids, clusters = spherical_kmeans(features, start, 10)
    assert torch.equal(centroids[2], start[2]) and clusters.tolist() == [0, 0, 1]
    assert not torch.equal(centroids[1], start[1])


def test_pieces_change_nothing(monkeypatch):
    features = unit(50, 4)
    whole = nearest_centroids(features, features[:9])
    monkeypatch.setattr(kmeans, "_SCORES_AT_ONCE", 20)  # two rows at a time
    assert torch.equal(nearest_centroids(features, features[:9]), whole)
    assert nearest_centroids(features[:0], features[:9]).shape == (0,)
