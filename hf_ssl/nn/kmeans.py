"""k-means, on the unit sphere and in space, over the rows of all processes."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from .distributed import sum_over_ranks

_SCORES_AT_ONCE = 2**23


def nearest_centroids(
    features: torch.Tensor, centroids: torch.Tensor, offsets: torch.Tensor | None = None
) -> torch.Tensor:
    """
    Index of the centroid (K, D) with the largest dot product, plus its offset (K,), for each row of `features` (N, D),
    in pieces.
    """
    transposed = centroids.T.contiguous()
    pieces = features.split(max(_SCORES_AT_ONCE // len(centroids), 1))
    if offsets is None:
        return torch.cat([(piece @ transposed).argmax(1) for piece in pieces])
    return torch.cat([torch.addmm(offsets, piece, transposed).argmax(1) for piece in pieces])


def closest_centroids(features: torch.Tensor, centroids: torch.Tensor) -> torch.Tensor:
    """Index of the centroid (K, D) at the smallest Euclidean distance from each row of `features` (N, D)."""
    return nearest_centroids(features, centroids, -centroids.square().sum(1) / 2)


@torch.no_grad()
def spherical_kmeans(
    features: torch.Tensor, centroids: torch.Tensor, iterations: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Lloyd's algorithm with cosine similarity. A centroid without members stays where it is.

    Args:
        features (`torch.Tensor` of shape `(rows, dim)`): this process's rows, of unit norm; any number.
        centroids (`torch.Tensor` of shape `(clusters, dim)`): the start, of unit norm, the same in every process.
        iterations (`int`): how often the centroids move.

    Returns:
        `tuple[torch.Tensor, torch.Tensor]`: the centroids, and the nearest of them for each row.
    """
    return _lloyd(features, centroids, iterations, nearest_centroids, lambda total: F.normalize(total[:, :-1], dim=-1))


@torch.no_grad()
def kmeans(features: torch.Tensor, centroids: torch.Tensor, iterations: int) -> tuple[torch.Tensor, torch.Tensor]:
    """As [`spherical_kmeans`], by Euclidean distance between vectors of any norm."""
    return _lloyd(features, centroids, iterations, closest_centroids, lambda total: total[:, :-1] / total[:, -1:])


def _lloyd(
    features: torch.Tensor, centroids: torch.Tensor, iterations: int, assign: Callable, center: Callable
) -> tuple[torch.Tensor, torch.Tensor]:
    """`center` makes centroids of the sums of their members, and, in the last column, how many these are."""
    for _ in range(iterations):
        nearest = assign(features, centroids)
        sums = torch.zeros_like(centroids).index_add_(0, nearest, features)
        counts = torch.bincount(nearest, minlength=len(centroids)).to(sums.dtype)
        total = sum_over_ranks(torch.cat([sums, counts[:, None]], dim=1))
        centroids = torch.where(total[:, -1:] > 0, center(total), centroids)
    return centroids, assign(features, centroids)
