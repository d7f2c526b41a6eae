"""DeepCluster v2 (arXiv:2006.09882, appendix): clusters of the previous epoch, followed by the number of the image."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F

from hf_ssl import DeepClusterV2Config, DeepClusterV2ForPreTraining, DeepClusterV2ImageProcessor
from hf_ssl.methods.deepcluster_v2.modeling_deepcluster_v2 import cluster_cross_entropy
from hf_ssl.nn.cluster_memory import ClusterMemory

from ..conftest import IMAGES, build_model, build_views
from ..processes import in_processes
from ..training.test_resume import StopAt, build_trainer
from .test_swav import features_of

HEADS = [8, 6, 7]  # of the recipe "tiny"


def data(count=IMAGES, seed=0):
    views = build_views("deepcluster_v2", batch=count, seed=seed)
    return views | {"sample_index": torch.arange(count)}


class Given:
    """Batches, as `prepare` takes them."""

    def __init__(self, batches):
        self.batches, self.num_samples = lambda: iter(batches), sum(len(b["sample_index"]) for b in batches)


def batches_of(views, sizes, order=None):
    """`views` cut into batches, in an order that is not that of the images."""
    count = len(views["sample_index"])
    order = torch.randperm(count, generator=torch.Generator().manual_seed(5)) if order is None else order
    return [{k: v[index] for k, v in views.items()} for index in order.split(sizes)]


def clustered(epoch=0, **fields):
    model = build_model("deepcluster_v2", **fields)
    model.prepare(Given(batches_of(data(), 6)))
    model.on_epoch_begin(epoch)
    return model.train()


def naive_loss(model, z, clusters, temperature=0.1):
    """`clusters[head][image]`, -100 for none; head by head, crop by crop, image by image."""
    total = 0.0
    for centroids, own in zip(model.memory.centroids.split(HEADS), clusters, strict=True):
        terms = []
        for b in range(z.shape[0]):
            for v in range(z.shape[1]):
                if own[b] >= 0:
                    p = F.softmax(z[b, v] @ centroids.T / temperature, dim=0)
                    terms.append(-p[own[b]].log())
        total = total + sum(terms) / len(terms) / len(HEADS)
    return total


def test_loss_follows_the_number_of_the_image_in_value_and_gradient():
    model = clustered()
    model.memory.clusters[:, 7] = -100
    index = torch.tensor([13, 7, 2, 19])
    views = build_views("deepcluster_v2", seed=3) | {"sample_index": index}
    reference = copy.deepcopy(model)
    output = model(**views)
    expected = naive_loss(reference, features_of(reference, views), reference.memory.clusters[:, index])
    torch.testing.assert_close(output.loss, expected, atol=1e-5, rtol=0)
    output.loss.backward()
    expected.backward()
    for (name, p), q in zip(model.named_parameters(), reference.named_parameters(), strict=True):
        if p.requires_grad:
            torch.testing.assert_close(p.grad, q[1].grad, atol=1e-5, rtol=1e-3, msg=name)
    other = copy.deepcopy(reference)(**views | {"sample_index": torch.tensor([0, 1, 2, 3])}).loss
    assert abs(other - expected) > 1e-3
    assert output.logs["uniform_loss"].item() == pytest.approx(sum(map(math.log, HEADS)) / 3)
    assert output.logs["prototypes_used"] == model.memory.share_used > 0


def test_images_that_are_not_in_the_memory_do_not_count():
    logits = torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(0))
    two = cluster_cross_entropy(logits[1:], torch.tensor([4, 0]))
    assert torch.equal(cluster_cross_entropy(logits, torch.tensor([-100, 4, 0])), two)
    assert cluster_cross_entropy(logits, torch.full((3,), -100)) == 0


def test_the_memory_starts_with_a_pass_over_all_images():
    model = build_model("deepcluster_v2").train()
    state = copy.deepcopy(model)
    model.eval().prepare(Given(batches_of(data(), 6)))
    model.on_epoch_begin(0)
    assert not model.training
    expected = torch.zeros_like(model.memory.embeddings)
    for batch in batches_of(data(), 6):
        crops = batch["pixel_values"].flatten(0, 1)
        z = F.normalize(state.projector(state.encoder()(crops).pooler_output), dim=1).unflatten(0, (-1, 2))
        expected[:, batch["sample_index"]] = z.detach().transpose(0, 1)
    torch.testing.assert_close(model.memory.embeddings, expected, atol=1e-5, rtol=0)
    assert (model.memory.clusters >= 0).all() and model.memory.epoch == 0
    assert torch.equal(model.projector[1].running_mean, state.projector[1].running_mean)  # by batch statistics
    assert model.projector[1].num_batches_tracked == 4


def test_features_of_an_epoch_make_the_clusters_of_the_next():
    model = clustered()
    clusters, before = model.memory.clusters.clone(), model.memory.embeddings.clone()
    views = data(seed=9)
    seen = torch.arange(16)  # the last four are dropped in this epoch
    for batch in batches_of({k: v[seen] for k, v in views.items()}, 4):
        z = features_of(copy.deepcopy(model), batch)
        model(**batch)
        stored = model.memory.embeddings[:, batch["sample_index"]]
        torch.testing.assert_close(stored, z[:, :2].transpose(0, 1).detach(), atol=1e-6, rtol=0)
    assert torch.equal(model.memory.clusters, clusters)  # within the epoch they stay
    assert torch.equal(model.memory.embeddings[:, 16:], before[:, 16:])
    assert not torch.allclose(model.memory.embeddings[:, :16], before[:, :16], atol=1e-3)

    expected = ClusterMemory(IMAGES, 2, 16, HEADS)
    expected.fill_([(torch.arange(IMAGES), model.memory.embeddings.transpose(0, 1))])
    expected.cluster_(1, 10)
    model.on_epoch_begin(1)
    assert torch.equal(model.memory.clusters, expected.clusters) and model.memory.epoch == 1
    assert torch.equal(model.memory.centroids, expected.centroids)


def test_within_an_epoch_a_second_call_changes_nothing():
    model = clustered(epoch=3)
    model(**build_views("deepcluster_v2"))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.on_epoch_begin(3)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    model.on_epoch_begin(4)
    assert not torch.equal(model.memory.centroids, before["memory.centroids"])


def test_resuming_inside_an_epoch_restores_the_memory_and_reads_no_data(tmp_path, monkeypatch):
    build_trainer("deepcluster_v2", "vit", tmp_path, callbacks=[StopAt(2)]).train()
    resumed = build_trainer("deepcluster_v2", "vit", tmp_path)
    calls = []
    monkeypatch.setattr(ClusterMemory, "fill_", lambda self, batches: calls.append("fill"))
    cluster = ClusterMemory.cluster_
    monkeypatch.setattr(ClusterMemory, "cluster_", lambda self, *a: (calls.append(a[0]), cluster(self, *a)))
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert calls == [1]  # nothing for epoch 0, clusters for epoch 1 from the features of epoch 0
    assert resumed.model.memory.epoch == 1


def test_prototypes_are_no_parameters():
    model = clustered()
    assert not any("memory" in name for name, _ in model.named_parameters())
    torch.testing.assert_close(model.memory.centroids.norm(dim=1), torch.ones(sum(HEADS)), atol=1e-5, rtol=0)


def test_evaluation_takes_the_nearest_cluster_and_leaves_the_memory():
    model = clustered().eval()
    before = {k: v.clone() for k, v in model.memory.state_dict().items()}
    views = build_views("deepcluster_v2", seed=4)
    z = features_of(model, views)
    scores = [z[:, head % 2] @ c.T for head, c in enumerate(model.memory.centroids.split(HEADS))]
    expected = naive_loss(model, z, [s.argmax(1) for s in scores])
    for index in (None, torch.arange(4) + 1000):  # other images than those of the memory
        output = model(**views | {"sample_index": index})
        torch.testing.assert_close(output.loss, expected, atol=1e-5, rtol=0)
    assert all(torch.equal(v, before[k]) for k, v in model.memory.state_dict().items())


def test_before_the_first_clustering_the_nearest_cluster_counts_too():
    model = build_model("deepcluster_v2").train()
    views = build_views("deepcluster_v2")
    reference = copy.deepcopy(model).eval()
    for module in reference.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.train()
    torch.testing.assert_close(model(**views).loss, reference(**views).loss, atol=1e-6, rtol=0)


def test_a_checkpoint_goes_on_with_other_data(tmp_path):
    model = clustered(epoch=5)
    model.save_pretrained(tmp_path)
    again = DeepClusterV2ForPreTraining.from_pretrained(tmp_path)
    assert again.config.memory_length == IMAGES and again.memory.epoch == 5
    assert torch.equal(again.memory.embeddings, model.memory.embeddings)
    for count in (12, IMAGES):  # the same number of images may be other images
        again.size_for(count)
        assert again.memory.epoch == -1 and again.memory.embeddings.shape == (2, count, 16)
        assert not again.memory.embeddings.any() and (again.memory.clusters == -100).all()
        again.prepare(Given(batches_of(data(count), 5)))
        again.on_epoch_begin(5)
        again.save_pretrained(tmp_path)
        again = DeepClusterV2ForPreTraining.from_pretrained(tmp_path)
        assert again.memory.embeddings.shape == (2, count, 16) and (again.memory.clusters >= 0).all()


def test_a_bfloat16_model_keeps_its_memory_in_float32(tmp_path):
    clustered().save_pretrained(tmp_path)
    half = DeepClusterV2ForPreTraining.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert half.memory.embeddings.dtype == half.memory.centroids.dtype == torch.float32
    assert half.memory.clusters.dtype == half.memory.epoch.dtype == torch.long
    assert half.projector[0].weight.dtype == torch.bfloat16


def two_epochs(rank, world):
    model = build_model("deepcluster_v2")
    for module in model.modules():  # batch statistics are each process's own
        if isinstance(module, torch.nn.BatchNorm1d):
            module.eval()
            module.train = lambda mode=True, m=module: m
    model.size_for(21)  # does not divide among two
    model.prepare(Given(batches_of(data(21), 6, torch.arange(rank, 21, world))))
    model.on_epoch_begin(0)
    first = copy.deepcopy(model.memory.state_dict())
    order = torch.randperm(20, generator=torch.Generator().manual_seed(2))
    for global_batch in order.split(4):
        views = {k: v[global_batch.chunk(world)[rank]] for k, v in data(21, seed=8).items()}
        output = model(**views)
        model.zero_grad()
        output.loss.backward()
    model.on_epoch_begin(1)
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return first, model.memory.state_dict(), output.loss.detach(), gradients


def test_two_processes_equal_one():
    alone = two_epochs(0, 1)
    first, second = in_processes(two_epochs)
    for epoch in (0, 1):
        assert all(torch.equal(first[epoch][name], second[epoch][name]) for name in alone[epoch])
        for name, tensor in alone[epoch].items():
            torch.testing.assert_close(first[epoch][name], tensor, atol=1e-5, rtol=0, msg=name)
    torch.testing.assert_close((first[2] + second[2]) / 2, alone[2], atol=1e-5, rtol=0)
    for name, gradient in alone[3].items():
        mean = (first[3][name] + second[3][name]) / 2
        atol = 1e-5 * max(1.0, gradient.abs().max().item())
        torch.testing.assert_close(mean, gradient, atol=atol, rtol=1e-4, msg=name)


def test_errors():
    with pytest.raises(ValueError, match="7 images cannot form 8 clusters: .*num_prototypes to at most 7"):
        build_model("deepcluster_v2").size_for(7)
    with pytest.raises(ValueError, match="pass sample_index in training"):
        build_model("deepcluster_v2").train()(torch.zeros(4, 2, 3, 32, 32))
    config = build_model("deepcluster_v2").config
    config.memory_length = 0
    fresh = DeepClusterV2ForPreTraining(config)
    for call in (lambda: fresh.prepare(Given([])), lambda: fresh(torch.zeros(2, 2, 3, 32, 32))):
        with pytest.raises(ValueError, match=r"how many there are: .*no stream.*size_for\(number of images\)"):
            call()
    with pytest.raises(ValueError, match=r"num_prototypes must name at least one cluster .*got \[3, 0\]"):
        DeepClusterV2Config(num_prototypes=[3, 0])
    for name in ("temperature", "kmeans_iterations", "assigned_crops"):
        with pytest.raises(ValueError, match=f"DeepClusterV2Config.{name} must be above 0"):
            DeepClusterV2Config(**{name: 0})
    with pytest.raises(ValueError, match="memory_length must not be below 0"):
        DeepClusterV2Config(memory_length=-1)
    with pytest.raises(ValueError, match="at least 3 views"):
        build_model("deepcluster_v2", assigned_crops=3)(torch.zeros(4, 2, 3, 32, 32))


def test_values_of_the_official_runs():
    config, processor = DeepClusterV2Config(), DeepClusterV2ImageProcessor()
    assert (list(config.projection_sizes), list(config.num_prototypes)) == ([2048, 128], [3000] * 3)
    assert (config.temperature, config.kmeans_iterations, config.assigned_crops) == (0.1, 10, 2)
    policies = processor.policies()
    assert [p.size for p in policies["pixel_values"] + policies["local_pixel_values"]] == [224] * 2 + [96] * 6
    policy = policies["local_pixel_values"][0]
    assert (policy.brightness, policy.contrast, policy.saturation, policy.hue) == (0.8, 0.8, 0.8, 0.2)
    projector = build_model("deepcluster_v2").projector
    assert [type(m).__name__ for m in projector] == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
