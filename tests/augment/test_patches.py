"""Patches of a grid: where they lie, that they differ, and that the draw is each sample's own."""

import pytest
import torch

from hf_ssl.augment.patches import grid_patches


def coordinates(batch, side):
    """Images whose two channels say where a pixel is."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return torch.stack([rows, columns]).float().expand(batch, 2, side, side)


def test_every_patch_is_whole_and_near_its_place():
    patches = grid_patches(coordinates(50, 256), 96, 5, 3, 24, torch.Generator().manual_seed(0))
    assert patches.shape == (50, 5, 2, 96, 96)
    corner = patches[:, :, :, 0, 0]  # [B, P, (top, left)]
    expected = corner[..., None, None] + coordinates(1, 96)[0]
    assert torch.equal(patches, expected)
    # The official grid: offsets of (256 - 96 - 24) // 2 = 68 pixels, and 0 to 24 more.
    index = (corner / 68).floor()
    assert ((corner - 68 * index) <= 24).all() and set(index.unique().tolist()) == {0, 1, 2}
    assert (corner - 68 * index).min() == 0 and (corner - 68 * index).max() == 24
    place = (3 * index[..., 0] + index[..., 1]).long()
    assert all(len(row.unique()) == 5 for row in place) and len(place.unique()) == 9
    assert len({tuple(row.tolist()) for row in place}) > 40  # another choice and order for each image


def test_a_full_grid_without_jitter_covers_the_image():
    patches = grid_patches(coordinates(1, 8), 4, 4, grid=2, generator=torch.Generator().manual_seed(0))[0]
    corners = {tuple(p[:, 0, 0].int().tolist()) for p in patches}
    assert corners == {(0, 0), (0, 4), (4, 0), (4, 4)}


def test_the_generator_alone_decides():
    images = torch.rand(3, 3, 40, 40)
    first, again, other = (
        grid_patches(images, 16, 4, 3, 5, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("arguments", [(33, 1, 3, 0), (30, 1, 3, 3), (8, 10, 3, 0), (8, 0, 3, 0), (0, 1, 3, 0)])
def test_what_does_not_fit(arguments):
    with pytest.raises(ValueError, match=r"do not fit an image of 32x32"):
        grid_patches(torch.zeros(1, 3, 32, 32), *arguments)
