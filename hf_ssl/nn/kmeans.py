"""k-means on the unit sphere, over the rows of all processes."""

import torch
import torch.nn.functional as F

from .distributed import sum_over_ranks

_SCORES_AT_ONCE = 2**23


def nearest_centroids(features: torch.Tensor, centroids: torch.Tensor) -> torch.Tensor:
    """Index of the centroid (K, D) with the largest dot product, for each row of `features` (N, D), in pieces."""
    transposed = centroids.T.contiguous()
    pieces = features.split(max(_SCORES_AT_ONCE // len(centroids), 1))
    return torch.cat([(piece @ transposed).argmax(1) for piece in pieces])


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
    for _ in range(iterations):
        nearest = nearest_centroids(features, centroids)
        sums = torch.zeros_like(centroids).index_add_(0, nearest, features)
        counts = torch.bincount(nearest, minlength=len(centroids)).to(sums.dtype)
        total = sum_over_ranks(torch.cat([sums, counts[:, None]], dim=1))
        centroids = torch.where(total[:, -1:] > 0, F.normalize(total[:, :-1], dim=-1), centroids)
    return centroids, nearest_centroids(features, centroids)
