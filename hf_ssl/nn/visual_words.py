"""Bags of visual words over a vocabulary that follows its teacher, and weights to predict them (arXiv:2012.11552)."""

import torch
import torch.nn.functional as F

from .distributed import gather, mean_over_ranks, rank, world_size
from .heads import MLPHead
from .queue import Queue


class Vocabulary(Queue):
    """
    The visual words of one feature level: local features of the last images, one random place of each. Like every
    queue it is the same in all processes. As in the official code it starts with the positive part of noise, and words
    are means over 3 x 3 places.

    Args:
        length (`int`): number of words.
        dim (`int`): channels of the feature maps.
        inverse_temperature (`float`): of the soft assignment, where the mean distance to the nearest word is 1.
        distance_momentum (`float`): of the running mean of that distance.
        border (`int`): outer rows and columns of the feature maps that are left out.
    """

    min_distance: torch.Tensor
    updates: torch.Tensor

    def __init__(self, length: int, dim: int, inverse_temperature: float, distance_momentum: float, border: int):
        super().__init__(length, dim)
        noise = torch.randn(length, dim, generator=torch.Generator().manual_seed(0), device="cpu")
        self.rows.copy_(noise.relu_())
        self.register_buffer("min_distance", torch.tensor(0.5))
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))
        self.inverse_temperature = inverse_temperature
        self.distance_momentum = distance_momentum
        self.border = border

    @torch.no_grad()
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """
        Bags of words: soft assignment at every place, the maximum over the places, L1 normalisation. In training the
        mean distance moves before the words are assigned, and at the end the images of all processes give a word each.

        Args:
            features (`torch.Tensor` of shape `(batch, channels, rows, columns)`): the same batch in every process.

        Returns:
            `torch.FloatTensor` of shape `(batch, words)`: probabilities.

        Raises:
            ValueError: when a feature map is all border, or there are more images than words.
        """
        if self.training and len(features) * world_size() > len(self):
            raise ValueError(
                f"{len(features) * world_size()} images at once do not fit a vocabulary of {len(self)} words: raise "
                "vocabulary_size or lower the batch size."
            )
        with torch.autocast(features.device.type, enabled=False):
            x = self._inside(features.float())
            distances = squared_distances(x.flatten(2).transpose(1, 2), self.rows.float())  # [B, places, words]
            if self.training:
                nearest = mean_over_ranks(distances.amin(-1).mean())
                self.min_distance.lerp_(nearest.to(self.min_distance.dtype), 1 - self.distance_momentum)
            codes = distances.mul_(-self.inverse_temperature / self.min_distance).softmax(-1)
            bags = F.normalize(codes.amax(1), p=1, dim=-1)
            if self.training:
                self.put_(gather(self._draw(x)))
                self.updates.add_(1)
        return bags

    def _inside(self, features: torch.Tensor) -> torch.Tensor:
        rows, columns = features.shape[2:]
        if min(rows, columns) <= 2 * self.border:
            raise ValueError(
                f"A feature map of {rows}x{columns} has no places inside a border of {self.border}: set border lower, "
                "use larger images, or choose an earlier level."
            )
        return features[:, :, self.border : rows - self.border, self.border : columns - self.border]

    def _draw(self, x: torch.Tensor) -> torch.Tensor:
        """One local mean (batch, channels) of each image, at a place that depends on the number of updates alone."""
        x = F.avg_pool2d(x, [min(3, n) for n in x.shape[2:]], stride=1).flatten(2)
        index = torch.arange(len(x), device=x.device)
        places = scrambled(self.updates, rank() * len(x) + index) % x.shape[2]
        return x[index, :, places]


def scrambled(seed: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Pseudo-random integers below 2 ** 32, another for each seed and index; made where these lie, without waiting."""
    x = (seed * 0x9E3779B1 + index) & 0xFFFFFFFF
    for _ in range(2):  # a multiplicative hash of 32 bits; nothing overflows int64
        x = ((x ^ (x >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return x ^ (x >> 16)


def squared_distances(x: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distances (..., words) of vectors (..., dim) from words (words, dim)."""
    return (x.square().sum(-1, keepdim=True) + words.square().sum(-1)).sub_(x @ words.T, alpha=2)


class WeightGenerator(MLPHead):
    """
    A unit weight vector for each visual word, so that the output layer follows the vocabulary.

    Args:
        word_dim, hidden_dim, embed_dim (`int`): widths of the words, of the hidden layer, and of the embedding.
    """

    def __init__(self, word_dim: int, hidden_dim: int, embed_dim: int):
        super().__init__([word_dim, hidden_dim, embed_dim])

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """Map words of shape (words, word_dim) to weights of shape (words, embed_dim)."""
        weights = super().forward(F.normalize(words, dim=-1).to(self[0].weight.dtype))
        return F.normalize(weights.float(), dim=-1)
