"""Features of every training image and the clusters they fall into (DeepCluster v2, arXiv:2006.09882, appendix)."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import nn

from .distributed import rank, sum_over_ranks, world_size
from .kmeans import spherical_kmeans


class ClusterMemory(nn.Module):
    """
    A feature of each image under a few views, centroids under a few heads, and the cluster of each image under each
    head. Everything is the same in every process. The centroids start as random directions, from a generator of their
    own.

    Args:
        length (`int`): number of images; may be changed by `empty_`.
        views (`int`): features of an image.
        dim (`int`): width of a feature.
        num_clusters (`list[int]`): of each head.
    """

    centroids: torch.Tensor
    epoch: torch.Tensor
    share_used: torch.Tensor
    embeddings: torch.Tensor
    clusters: torch.Tensor

    def __init__(self, length: int, views: int, dim: int, num_clusters: list[int]):
        super().__init__()
        self.views, self.dim, self.num_clusters = views, dim, list(num_clusters)
        start = torch.randn(sum(num_clusters), dim, generator=torch.Generator().manual_seed(0), device="cpu")
        self.register_buffer("centroids", F.normalize(start, dim=-1))
        self.register_buffer("epoch", torch.full((), -1, device="cpu"))  # that the clusters are for; -1: none yet
        self.register_buffer("share_used", torch.zeros((), device="cpu"))  # clusters with members, share of all
        self.empty_(length)

    @torch.no_grad()
    def empty_(self, length: int) -> None:
        """Forget everything but the centroids, and make room for `length` images."""
        device = self.centroids.device
        self.register_buffer("embeddings", torch.zeros(self.views, length, self.dim, device=device))
        self.register_buffer("clusters", torch.full((len(self.num_clusters), length), -100, device=device))
        self.epoch.fill_(-1)
        self.share_used.zero_()

    @torch.no_grad()
    def put_(self, index: torch.Tensor, features: torch.Tensor) -> None:
        """Replace the features of the images `index` (N,) by `features` (N, views, dim)."""
        self.embeddings[:, index] = features.transpose(0, 1).to(self.embeddings.dtype)

    @torch.no_grad()
    def fill_(self, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Replace everything: arguments of `put_`, for this process's share of the images."""
        self.embeddings.zero_()
        for index, features in batches:
            self.put_(index, features)
        self.embeddings.copy_(sum_over_ranks(self.embeddings))

    @torch.no_grad()
    def cluster_(self, epoch: int, iterations: int) -> None:
        """
        Cluster the images whose features are there, and give the others, in `clusters`, the index -100.

        As in the official code, k-means starts from features chosen at random, the heads take the views in turn, and
        an empty cluster keeps its centroid. The choice depends on nothing but the epoch and the head.

        Raises:
            ValueError: when there are fewer features than clusters.
        """
        there = self.embeddings[0].any(dim=1).nonzero().squeeze(1)
        if len(there) < max(self.num_clusters):
            raise ValueError(
                f"There are features of {len(there)} images, too few for {max(self.num_clusters)} clusters."
            )
        own = there[rank() :: world_size()]
        heads = len(self.num_clusters)
        for head, centroids in enumerate(self.centroids.split(self.num_clusters)):
            features = self.embeddings[head % self.views]
            generator = torch.Generator().manual_seed(epoch * heads + head)
            chosen = torch.randperm(len(there), generator=generator)[: len(centroids)].to(there.device)
            found, nearest = spherical_kmeans(features[own], features[there[chosen]], iterations)
            centroids.copy_(found)
            everyone = torch.zeros_like(self.clusters[head])
            everyone[own] = nearest + 1
            everyone = sum_over_ranks(everyone)
            self.clusters[head] = torch.where(everyone > 0, everyone - 1, -100)
        used = sum(len(head[head >= 0].unique()) for head in self.clusters)
        self.share_used.fill_(used / sum(self.num_clusters))
        self.epoch.fill_(epoch)
