"""Visual words: an image as a sequence of indices into a vocabulary."""

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import nn

from .distributed import gather, rank, world_size
from .kmeans import closest_centroids, kmeans
from .patches import patchify

_FLAT = 1e-2  # variance of a patch, of normalised pixels, that counts as flat


class Tokenizer(Protocol):
    """
    What makes words of images.

    Attributes:
        vocab_size (`int`): words are from 0 to this minus 1.
    """

    vocab_size: int

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of words for an image of `size` (height, width)."""
        ...

    def tokenize(self, pixels: torch.Tensor) -> torch.LongTensor:
        """The words of images (B, C, H, W), of shape (B, N), row by row."""
        ...


class KMeansTokenizer(nn.Module):
    """
    The word of a patch is the nearest of some typical patches, by the Euclidean distance of their pixels. These are
    the centroids of k-means over patches of the training images; before `fit_` they are noise, the same in every
    process.

    Args:
        vocab_size (`int`): number of words.
        patch_size (`int`): side of the patches in pixels.
        num_channels (`int`)
        normalize (`bool`, *optional*, defaults to `False`): take its own mean and standard deviation off each patch
            first, so that words tell of shapes and textures, not of brightness.
    """

    def __init__(self, vocab_size: int, patch_size: int, num_channels: int, normalize: bool = False):
        super().__init__()
        self.vocab_size, self.patch_size, self.normalize = vocab_size, patch_size, normalize
        width = num_channels * patch_size**2
        words = torch.randn(vocab_size, width, generator=torch.Generator().manual_seed(0), device="cpu")
        self.register_buffer("words", words)
        self.register_buffer("fitted", torch.zeros((), dtype=torch.bool))

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        return size[0] // self.patch_size, size[1] // self.patch_size

    @torch.no_grad()
    def tokenize(self, pixels: torch.Tensor) -> torch.LongTensor:
        with torch.autocast(pixels.device.type, enabled=False):
            patches = self._patches(pixels)
            return closest_centroids(patches.flatten(0, 1), self.words.float()).view(patches.shape[:2])

    @torch.no_grad()
    def fit_(self, images: Iterable[torch.Tensor], patches: int, per_image: int, iterations: int) -> None:
        """
        Find the words, the same in all processes.

        Args:
            images (iterable of `torch.Tensor` of shape `(batch, channels, height, width)`): this process's share;
                read until there are enough.
            patches (`int`): how many to cluster, over all processes.
            per_image (`int`): at most so many of an image, at random places.
            iterations (`int`): of k-means, which starts at random patches.

        Raises:
            ValueError: when there are fewer patches than words.
        """
        generator, found, wanted = torch.Generator().manual_seed(rank()), [], -(-patches // world_size())
        for batch in images:
            rows = self._patches(batch)
            order = torch.rand(rows.shape[:2], generator=generator).argsort(1)[:, :per_image].to(rows.device)
            found.append(rows.gather(1, order[..., None].expand(-1, -1, rows.shape[-1])).flatten(0, 1))
            if sum(map(len, found)) >= wanted:
                break
        features = torch.cat(found)[:wanted] if found else self.words.new_zeros(0, self.words.shape[1])
        start = self._start(features)
        self.words.copy_(kmeans(features, start, iterations)[0])
        self.fitted.fill_(True)

    def _patches(self, pixels: torch.Tensor) -> torch.Tensor:
        """What is clustered, of shape (B, N, pixels of a patch)."""
        patches = patchify(pixels.float(), self.patch_size)
        if self.normalize:
            variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
            patches = (patches - mean) * torch.rsqrt(variance + _FLAT)
        return patches

    def _start(self, features: torch.Tensor) -> torch.Tensor:
        """Patches chosen at random, an equal share from every process."""
        share = -(-self.vocab_size // world_size())
        chosen = torch.randperm(len(features), generator=torch.Generator().manual_seed(0))[:share]
        padded = torch.full((share, features.shape[1]), torch.nan, dtype=features.dtype, device=features.device)
        padded[: len(chosen)] = features[chosen.to(features.device)]
        start = gather(padded)
        start = start[~start.isnan().any(1)][: self.vocab_size]
        if len(start) < self.vocab_size:
            raise ValueError(
                f"{len(start)} patches cannot form {self.vocab_size} words: lower vocab_size, or use more images."
            )
        return start
