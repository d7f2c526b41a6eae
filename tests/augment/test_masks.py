"""Masks hide what the official code hides, and as many patches as can be known beforehand."""

import math

import pytest
import torch

from hf_ssl.augment.masks import (
    block_masks,
    block_shape,
    ibot_ratios,
    inverse_block_masks,
    masked_indices,
    multi_block_masks,
    random_masks,
    tube_masks,
    visible_indices,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_random_masks_hide_the_same_number_everywhere_and_differ():
    mask = random_masks(64, 16, 0.75, seeded())
    assert mask.dtype == torch.bool and (mask.sum(1) == 12).all()
    assert len({tuple(row.tolist()) for row in mask}) > 40
    assert 0.6 < mask.float().mean(0).min() and mask.float().mean(0).max() < 0.9
    assert torch.equal(mask, random_masks(64, 16, 0.75, seeded()))
    order = torch.rand(64, 16, generator=seeded()).argsort(dim=1)  # the draw that published figures are made from
    assert torch.equal(mask, order.argsort(dim=1) >= 4)


def test_indices_are_those_of_the_mask_in_order():
    mask = random_masks(8, 16, 0.75, seeded())
    for row, seen, hidden in zip(mask, visible_indices(mask), masked_indices(mask, 12), strict=True):
        assert seen.tolist() == (~row).nonzero()[:, 0].tolist() and hidden.tolist() == row.nonzero()[:, 0].tolist()
    assert torch.equal(visible_indices(mask, 4), visible_indices(mask))
    mask[0, visible_indices(mask)[0]] = True  # all hidden
    mask[1] = False
    indices = masked_indices(mask, 16)
    assert torch.equal(mask.gather(1, indices).sum(1), mask.sum(1))


@pytest.mark.parametrize(("ratio", "patches", "hidden"), [(0.9, 196, 176), (0.75, 196, 147), (0.9, 16, 14)])
def test_tubes_hide_the_same_patches_in_every_frame(ratio, patches, hidden):
    mask = tube_masks(6, 8, patches, ratio, seeded()).view(6, 8, patches)
    assert torch.equal(mask, mask[:, :1].expand_as(mask)) and (mask[:, 0].sum(1) == hidden).all()
    assert len({tuple(row.tolist()) for row in mask[:, 0]}) == 6


def test_blocks_are_those_of_beit():
    mask = block_masks(2000, (14, 14), 75, top_up=False, generator=seeded())
    count = mask.sum(1)
    assert count.max() == 75 and 60 <= count.min() < 75
    assert count.float().mean().item() == pytest.approx(74.5, abs=0.15)
    assert (count == 75).float().mean().item() == pytest.approx(0.68, abs=0.04)
    first = block_masks(500, (14, 14), 20, min_block=16, top_up=False, generator=seeded()).view(-1, 14, 14)
    assert (first.any(1).sum(1) < 14).all() and (first.any(2).sum(1) < 14).all()


def test_one_block_is_a_rectangle_within_the_bounds_of_its_aspect():
    mask = block_masks(1000, (14, 14), 30, min_block=30, top_up=False, generator=seeded()).view(-1, 14, 14)
    height, width = mask.any(2).sum(1), mask.any(1).sum(1)
    single = mask.sum((1, 2)) == height * width  # nothing was added to the first rectangle
    aspect = (height / width)[single]
    assert single.sum() > 100 and aspect.min() >= 0.2 and aspect.max() <= 5 and aspect.min() < 0.5 < 2 < aspect.max()
    assert aspect.log().mean().abs() < 0.2


def test_blocks_are_topped_up_to_equal_counts_without_giving_any_back():
    for grid, hidden, least in (((14, 14), 75, 16), ((8, 8), 26, 4)):
        mask = block_masks(200, grid, hidden, min_block=least, generator=seeded())
        assert (mask.sum(1) == hidden).all() and mask.shape == (200, math.prod(grid))
        bare = block_masks(200, grid, hidden, min_block=least, top_up=False, generator=seeded())
        assert not (bare & ~mask).any()
        places = mask.float().mean(0)
        assert 0 < places.min() < places.mean() < places.max() < 0.8  # corners are rare, nothing is sure


def test_small_grids_have_blocks_too():
    mask = block_masks(1000, (8, 8), 26, min_block=4, top_up=False, generator=seeded())
    assert mask.sum(1).float().mean().item() == pytest.approx(25.96, abs=0.05)


def test_ratios_of_ibot_leave_half_of_the_crops_whole():
    ratios = ibot_ratios(4000, generator=seeded())
    masked = ratios[ratios > 0]
    assert len(masked) / 4000 == pytest.approx(0.5, abs=0.03)
    assert masked.min() >= 0.1 and masked.max() <= 0.5 and masked.mean().item() == pytest.approx(0.3, abs=0.01)
    for top_up in (True, False):
        mask = block_masks(200, (14, 14), ratios[:200] * 196, min_block=16, top_up=top_up, generator=seeded(1))
        wanted = (ratios[:200] * 196).long()
        assert (mask.sum(1) == wanted).all() if top_up else (mask.sum(1) <= wanted).all()
        assert masked_indices(mask, int(0.5 * 196)).shape == (200, 98)


def test_inverse_blocks_show_connected_patches():
    mask = inverse_block_masks(300, (14, 14), 0.8, generator=seeded())
    assert (mask.sum(1) == 196 - 39).all()
    seen = ~mask.view(-1, 14, 14)
    neighbours = seen[:, 1:] & seen[:, :-1]
    alone = ~random_masks(300, 196, 0.8, seeded()).view(-1, 14, 14)
    assert neighbours.sum() > 2 * (alone[:, 1:] & alone[:, :-1]).sum()
    tiny = inverse_block_masks(5, (3, 3), 0.9, generator=seeded())  # no square is left: single patches
    assert (tiny.sum(1) == 9).all() and (inverse_block_masks(5, (3, 3), 0.5, generator=seeded()).sum(1) == 5).all()


def test_shapes_of_blocks_are_those_of_ijepa():
    shapes = {block_shape((14, 14), 0.15 + 0.05 * u, 0.75 + 0.75 * u) for u in torch.linspace(0, 1, 50).tolist()}
    assert shapes <= {(height, width) for height in (5, 6, 7, 8) for width in (5, 6)} and len(shapes) > 2
    assert {block_shape((14, 14), 0.85 + 0.15 * u, 1.0) for u in (0.0, 0.5, 1.0)} == {(13, 13)}
    assert block_shape((8, 8), 0.175, 1.125) in {(3, 3), (4, 3)}


@pytest.mark.parametrize(("grid", "visible"), [((14, 14), 52), ((8, 8), 12), ((6, 10), 14)])
def test_context_and_targets_never_meet_and_reach_every_patch(grid, visible):
    target, context = block_shape(grid, 0.175, 1.125), block_shape(grid, 0.925, 1.0)
    masks = multi_block_masks(400, grid, target, context, visible, generator=seeded())
    assert masks.context.shape == (400, visible) and masks.targets.shape == (400, 4, math.prod(target))
    for own, others in zip(masks.context.tolist(), masks.targets.flatten(1).tolist(), strict=True):
        assert own == sorted(set(own)) and not set(own) & set(others)
    rows, columns = grid
    for indices in masks.targets[:20].flatten(0, 1):
        row, column = indices // columns, indices % columns
        assert (row.unique().numel(), column.unique().numel()) == target and indices.tolist() == sorted(
            indices.tolist()
        )
    for part in masks:  # the last row and column as well
        assert part.flatten().unique().numel() == rows * columns


def test_a_context_that_cannot_avoid_all_targets_still_ends():
    masks = multi_block_masks(10, (4, 4), (3, 3), (3, 3), 8, attempts=2, generator=seeded())
    assert masks.context.shape == (10, 8)
    with pytest.raises(ValueError, match="cannot show 10: take 1 to 9"):
        multi_block_masks(10, (4, 4), (3, 3), (3, 3), 10, generator=seeded())
    with pytest.raises(ValueError, match="do not fit a grid"):
        multi_block_masks(10, (4, 4), (5, 3), (3, 3), 1, generator=seeded())


def test_masks_depend_on_the_generator_alone():
    draws = (
        lambda g: block_masks(4, (8, 8), 26, generator=g),
        lambda g: ibot_ratios(4, generator=g),
        lambda g: inverse_block_masks(4, (8, 8), 0.8, generator=g),
        lambda g: multi_block_masks(4, (8, 8), (4, 3), (7, 7), 12, generator=g).context,
        lambda g: tube_masks(4, 2, 16, 0.5, g),
    )
    for draw in draws:
        assert torch.equal(draw(seeded()), draw(seeded())) and not torch.equal(draw(seeded()), draw(seeded(1)))
