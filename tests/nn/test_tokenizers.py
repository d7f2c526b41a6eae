"""Visual words by k-means."""

import pytest
import torch

from hf_ssl.nn.kmeans import kmeans
from hf_ssl.nn.tokenizers import KMeansTokenizer

from ..processes import in_processes


def images(count, seed=0):
    """Of flat patches of 4 pixels in 3 shades, with a little noise."""
    generator = torch.Generator().manual_seed(seed)
    shades = torch.tensor([-2.0, 0.0, 3.0])[torch.randint(0, 3, (count, 1, 2, 2), generator=generator)]
    noise = 0.01 * torch.randn(count, 1, 8, 8, generator=generator)
    return shades.repeat_interleave(4, 2).repeat_interleave(4, 3) + noise


def test_kmeans_is_lloyds_algorithm():
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) + 4
    centroids = torch.cat([x[:4], torch.full((1, 3), 100.0)])  # the last one finds nothing
    found, nearest = kmeans(x, centroids, 3)
    for _ in range(3):
        own = torch.cdist(x, centroids).argmin(1)
        centroids = torch.stack([x[own == k].mean(0) if (own == k).any() else centroids[k] for k in range(5)])
    torch.testing.assert_close(found, centroids, atol=1e-5, rtol=0)
    assert torch.equal(nearest, torch.cdist(x, centroids).argmin(1)) and torch.equal(found[4], centroids[4])


def fit(rank, world):
    tokenizer = KMeansTokenizer(12, 4, 1)
    data = images(64)[rank::world]
    tokenizer.fit_(data.split(8), 200, 2, 10)
    return tokenizer.words, tokenizer.tokenize(images(16, seed=1))


def test_words_are_the_shades_in_every_process():
    alone, words = fit(0, 1)
    shades = alone.mean(1)
    assert set(shades.round().tolist()) == {-2.0, 0.0, 3.0}
    expected = images(16, seed=1)[:, 0, ::4, ::4].flatten(1)
    torch.testing.assert_close(shades[words], expected, atol=0.1, rtol=0)
    first, second = in_processes(fit)
    assert torch.equal(first[0], second[0])
    torch.testing.assert_close(first[0].mean(1)[first[1]], expected, atol=0.1, rtol=0)


def test_too_few_patches():
    with pytest.raises(ValueError, match="4 patches cannot form 5 words: lower vocab_size"):
        KMeansTokenizer(5, 4, 1).fit_([images(1)], 100, 16, 1)
    with pytest.raises(ValueError, match="0 patches cannot form 5 words"):
        KMeansTokenizer(5, 4, 1).fit_([], 100, 16, 1)
