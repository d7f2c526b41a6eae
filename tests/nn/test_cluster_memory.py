"""The memory of DeepCluster v2: what is stored where, and which features are clustered into what."""

import pytest
import torch
import torch.nn.functional as F

from hf_ssl.nn.cluster_memory import ClusterMemory

from .test_kmeans import naive_lloyd


def unit(*shape, seed=0):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def filled(length=30, heads=(5, 4, 3)):
    memory = ClusterMemory(length, 2, 6, heads)
    features = unit(length, 2, 6)
    order = torch.randperm(length, generator=torch.Generator().manual_seed(1))
    memory.fill_((index, features[index]) for index in order.split(7))
    return memory, features


def test_features_go_to_their_image():
    memory, features = filled()
    assert torch.equal(memory.embeddings, features.transpose(0, 1))
    memory.put_(torch.tensor([3, 0]), -features[[3, 0]])
    assert torch.equal(memory.embeddings[1, 3], -features[3, 1])
    assert torch.equal(memory.embeddings[0, 0], -features[0, 0])
    assert torch.equal(memory.embeddings[:, 4:], features[4:].transpose(0, 1))


def test_heads_take_the_views_in_turn_and_start_from_features_of_the_memory():
    memory, features = filled()
    memory.cluster_(epoch=4, iterations=10)
    assert memory.epoch == 4 and memory.share_used == 1
    for head, centroids in enumerate(memory.centroids.split([5, 4, 3])):
        chosen = torch.randperm(30, generator=torch.Generator().manual_seed(4 * 3 + head))[: len(centroids)]
        view = features[:, head % 2]
        expected, clusters = naive_lloyd(view, view[chosen], 10)
        torch.testing.assert_close(centroids.double(), expected, atol=1e-5, rtol=0)
        assert torch.equal(memory.clusters[head], clusters)


def test_clustering_is_a_function_of_the_memory_and_the_epoch():
    results = []
    for seed, epoch in ((0, 1), (1, 1), (1, 2)):
        torch.manual_seed(seed)
        memory, _ = filled()
        before = torch.random.get_rng_state()
        memory.cluster_(epoch, 3)
        assert torch.equal(torch.random.get_rng_state(), before)
        results.append(memory.clusters.clone())
    assert torch.equal(results[0], results[1]) and not torch.equal(results[0], results[2])


def test_images_without_features_belong_nowhere():
    memory, features = filled()
    memory.empty_(30)
    assert memory.epoch == -1 and (memory.clusters == -100).all()
    index = torch.tensor([2, 3, 5, 8, 13, 21])
    memory.put_(index, features[index])
    memory.cluster_(0, 3)
    assert (memory.clusters[:, index] >= 0).all() and (memory.clusters >= 0).sum() == 3 * 6
    memory.empty_(30)
    memory.put_(index[:4], features[index[:4]])
    with pytest.raises(ValueError, match="features of 4 images, too few for 5 clusters"):
        memory.cluster_(1, 3)


def test_empty_clusters_are_counted():
    memory = ClusterMemory(8, 1, 4, [4])
    features = F.normalize(torch.ones(8, 1, 4), dim=-1)  # all alike: one cluster gets everything
    memory.put_(torch.arange(8), features)
    memory.cluster_(0, 3)
    assert memory.share_used == 0.25 and torch.isfinite(memory.centroids).all()
