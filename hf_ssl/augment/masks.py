"""
Which patches of a sample are hidden: at random, in blocks, in tubes, all but blocks, or context and targets.

Every function draws for a whole batch from a generator on the CPU. How many patches are hidden follows from its
arguments alone, so that the step of a compiled model has one shape and never asks an accelerator for a count.
"""

import math
from typing import NamedTuple

import torch

from .resize import uniform


def random_masks(batch: int, patches: int, ratio: float, generator: torch.Generator | None = None) -> torch.BoolTensor:
    """
    Hide `patches - int(patches * (1 - ratio))` patches of each sample, uniformly (MAE, arXiv:2111.06377, section 3).

    Args:
        batch (`int`): number of samples.
        patches (`int`): of each sample.
        ratio (`float`): share that is hidden, in [0, 1).
        generator (`torch.Generator`, *optional*): the only source of randomness; on the CPU.

    Returns:
        `torch.BoolTensor` of shape `(batch, patches)`: True = hidden. Every row has the same number of them.
    """
    return ranks(torch.rand(batch, patches, generator=generator)) >= int(patches * (1 - ratio))


def tube_masks(
    batch: int, frames: int, patches: int, ratio: float, generator: torch.Generator | None = None
) -> torch.BoolTensor:
    """
    Hide the same `int(ratio * patches)` patches in all frames of a clip (VideoMAE, arXiv:2203.12602, section 3.3):
    what does not move cannot be copied from another frame. The official code rounds the hidden ones down, MAE's the
    others.

    Args:
        batch (`int`): number of clips.
        frames (`int`): of each clip, counted in tubelets.
        patches (`int`): of each frame.
        ratio (`float`): share that is hidden, in [0, 1).
        generator (`torch.Generator`, *optional*): the only source of randomness; on the CPU.

    Returns:
        `torch.BoolTensor` of shape `(batch, frames * patches)`, frame after frame: True = hidden.
    """
    hidden = ranks(torch.rand(batch, patches, generator=generator)) < int(ratio * patches)
    return hidden.repeat(1, frames)


def block_masks(
    batch: int,
    grid: tuple[int, int],
    hidden: float | torch.Tensor,
    *,
    min_block: int = 16,
    min_aspect: float = 0.3,
    top_up: bool = True,
    generator: torch.Generator | None = None,
) -> torch.BoolTensor:
    """
    Hide rectangles of patches until about `hidden` are hidden, never more (BEiT, arXiv:2106.08254, by the official
    code; the paper's algorithm 1 overshoots instead).

    Up to ten times a rectangle is drawn: its area is uniform between `min_block` and what is left to hide, its aspect
    ratio log-uniform, its place uniform. It is taken if it hides something new, and no more than what is left. A
    sample whose ten rectangles all fail is done: of 75 in 14 x 14 patches, 74.5 are hidden on average, and all 75 in
    two thirds of the samples. `top_up` hides single patches, at random, where some are missing.

    Args:
        batch (`int`): number of samples.
        grid (`tuple[int, int]`): rows and columns of patches.
        hidden (`float` or `torch.Tensor` of shape `(batch,)`): how many patches to hide, in each sample: 75 of 14 x 14
            in BEiT; `ibot_ratios(...) * rows * columns` in iBOT. Fractions count as the room that is left.
        min_block (`int`, *optional*, defaults to 16): smallest area of a rectangle, in patches; iBOT's is
            `(min(grid) // 3) ** 2`.
        min_aspect (`float`, *optional*, defaults to 0.3): of height / width; at most its inverse.
        top_up (`bool`, *optional*, defaults to `True`): hide exactly `int(hidden)`. `False` is the official way.
        generator (`torch.Generator`, *optional*): the only source of randomness; on the CPU.

    Returns:
        `torch.BoolTensor` of shape `(batch, rows * columns)`: True = hidden.
    """
    rows, columns = grid
    wanted = torch.as_tensor(hidden, dtype=torch.float32).expand(batch)
    mask = torch.zeros(batch, rows, columns, dtype=torch.bool)
    left, attempts = wanted.clone(), torch.zeros(batch, dtype=torch.long)
    while (active := (left > 0) & (attempts < 10)).any():
        area, aspect, down, right = uniform((batch, 4), generator).unbind(1)
        area = min_block + (left - min_block) * area
        aspect = torch.exp(math.log(min_aspect) * (1 - 2 * aspect))
        height, width = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
        block = _rectangles(grid, _corner(down, rows - height), _corner(right, columns - width), height, width)
        new = (block & ~mask).sum((1, 2))
        taken = active & (height < rows) & (width < columns) & (new > 0) & (new <= left)
        mask |= block & taken[:, None, None]
        left = torch.where(taken, left - new, left)
        attempts = torch.where(taken, 0, attempts + 1)
    mask = mask.flatten(1)
    if top_up:
        mask = ranks(torch.where(mask, -1.0, uniform(mask.shape, generator))) < wanted.long()[:, None]
    return mask


def ibot_ratios(
    batch: int,
    ratios: tuple[float, ...] = (0.0, 0.3),
    spreads: tuple[float, ...] = (0.0, 0.2),
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """
    The share of patches that is hidden in each crop: one of `ratios`, all as likely, plus or minus up to its spread,
    uniformly (iBOT, arXiv:2111.07832, appendix; `--pred_ratio 0 0.3 --pred_ratio_var 0 0.2` of the official code: half
    of the crops stay whole, of the others 10 % to 50 % are hidden).

    The numbers of hidden patches then differ between crops, but none is above
    `int(max(ratio + spread) * patches)`: that many `masked_indices` are enough for all.

    Returns:
        `torch.FloatTensor` of shape `(batch,)`.
    """
    which, place = uniform((batch, 2), generator).unbind(1)
    which = (which * len(ratios)).long().clamp_max(len(ratios) - 1)
    return torch.tensor(ratios)[which] + torch.tensor(spreads)[which] * (2 * place - 1)


def inverse_block_masks(
    batch: int,
    grid: tuple[int, int],
    ratio: float,
    *,
    block: int = 3,
    adjustment: float = 0.07,
    generator: torch.Generator | None = None,
) -> torch.BoolTensor:
    """
    Hide everything but squares of patches (data2vec 2.0, arXiv:2212.07525, section 3.3): what is seen is connected.

    So many squares are drawn, at any place and cut at the border, that they would cover a share `1 - ratio +
    adjustment` if they did not overlap; then single patches are hidden or shown, at random, until
    `int(patches * (1 - ratio))` are seen.

    Args:
        batch (`int`): number of samples.
        grid (`tuple[int, int]`): rows and columns of patches.
        ratio (`float`): share that is hidden; 0.8 in the official code.
        block (`int`, *optional*, defaults to 3): side of the squares in patches.
        adjustment (`float`, *optional*, defaults to 0.07): for the overlap.
        generator (`torch.Generator`, *optional*): the only source of randomness; on the CPU.

    Returns:
        `torch.BoolTensor` of shape `(batch, rows * columns)`: True = hidden. Every row has the same number of them.
    """
    rows, columns = grid
    patches = rows * columns
    count = int(patches * ((1 - ratio + adjustment) / block**2))
    centre = (uniform((batch, count), generator) * patches).long().clamp_max(patches - 1)
    size = torch.full_like(centre, block)
    squares = _rectangles(grid, centre // columns - block // 2, centre % columns - block // 2, size, size)
    seen = squares.any(1).flatten(1)
    return ranks(uniform(seen.shape, generator) - seen.float()) >= int(patches * (1 - ratio))


class MultiBlockMasks(NamedTuple):
    """
    Args:
        context (`torch.LongTensor` of shape `(batch, visible)`): indices of the patches that the encoder sees, in
            image order.
        targets (`torch.LongTensor` of shape `(batch, targets, height * width)`): indices of the patches of each
            target block, in image order.
    """

    context: torch.LongTensor
    targets: torch.LongTensor


def block_shape(grid: tuple[int, int], scale: float, aspect: float) -> tuple[int, int]:
    """
    Height and width in patches of a block with a share `scale` of the grid and a height / width of `aspect`; always
    smaller than the grid (I-JEPA, by the official code).

    I-JEPA draws one u in [0, 1] for each batch and takes `scale = 0.15 + 0.05 * u` and `aspect = 0.75 + 0.75 * u` for
    targets, and another one for `scale = 0.85 + 0.15 * u` at aspect 1 for the context: then batches differ in shape.
    u = 0.5 for all gives one shape.
    """
    area = int(grid[0] * grid[1] * scale)
    height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
    return min(height, grid[0] - 1), min(width, grid[1] - 1)


def multi_block_masks(
    batch: int,
    grid: tuple[int, int],
    target: tuple[int, int],
    context: tuple[int, int],
    visible: int,
    *,
    targets: int = 4,
    attempts: int = 20,
    generator: torch.Generator | None = None,
) -> MultiBlockMasks:
    """
    Blocks to predict, and a large block around them without them to predict from (I-JEPA, arXiv:2301.08243, section
    3), of the same numbers of patches in every sample and batch.

    Three things are not as in the official code. The last row and column can be drawn too. The context is cut to
    `visible` patches at random, where the official code cuts it to the smallest of the batch, and always from below. A
    sample without `visible` patches outside of its targets is drawn again as a whole; after `attempts` it may see one
    target, the last one, then two.

    Args:
        batch (`int`): number of samples.
        grid (`tuple[int, int]`): rows and columns of patches.
        target, context (`tuple[int, int]`): height and width of the blocks in patches, see [`block_shape`].
        visible (`int`): patches of the context that are seen, at most those of its block.
        targets (`int`, *optional*, defaults to 4): number of target blocks.
        attempts (`int`, *optional*, defaults to 20): at a context without targets.
        generator (`torch.Generator`, *optional*): the only source of randomness; on the CPU.

    Raises:
        ValueError: for blocks that do not fit the grid, and for more `visible` patches than the context has.
    """
    (rows, columns), (height, width) = grid, target
    if not (0 < height <= rows and 0 < width <= columns and context[0] <= rows and context[1] <= columns):
        raise ValueError(f"Blocks of {target} and {context} patches do not fit a grid of {grid}: take smaller ones.")
    if not 0 < visible <= context[0] * context[1]:
        raise ValueError(
            f"A context of {context[0]}x{context[1]} patches cannot show {visible}: take 1 to {math.prod(context)}."
        )
    corners = torch.zeros(batch, targets + 1, 2, dtype=torch.long)  # row and column; the context comes last
    sizes = torch.tensor([target] * targets + [context])
    free = torch.zeros(batch, rows, columns, dtype=torch.bool)
    failed = torch.ones(batch, dtype=torch.bool)
    attempt = 0
    while failed.any():
        room = torch.tensor([rows, columns]) - sizes
        drawn = _corner(uniform((batch, targets + 1, 2), generator), room)
        corners = torch.where(failed[:, None, None], drawn, corners)
        blocks = _rectangles(grid, corners[..., 0], corners[..., 1], *sizes.unbind(1))
        avoided = max(targets - attempt // attempts, 0)
        found = blocks[:, -1] & ~blocks[:, :avoided].any(1)
        free = torch.where(failed[:, None, None], found, free)
        failed = free.sum((1, 2)) < visible
        attempt += 1
    order = torch.where(free.flatten(1), uniform((batch, rows * columns), generator), 2.0).argsort(1)
    inside = (torch.arange(height)[:, None] * columns + torch.arange(width)).flatten()
    first = corners[:, :-1, 0] * columns + corners[:, :-1, 1]
    return MultiBlockMasks(order[:, :visible].sort(1).values, first[..., None] + inside)


def visible_indices(bool_masked_pos: torch.BoolTensor, count: int | None = None) -> torch.LongTensor:
    """
    Indices of the patches that are seen, in image order, of shape `(batch, count)`.

    Args:
        bool_masked_pos (`torch.BoolTensor` of shape `(batch, patches)`): True = hidden, equally many in every row.
        count (`int`, *optional*): of patches that are seen in a row. By default they are counted, for which an
            accelerator is waited for, and which torch.compile cannot trace.
    """
    if count is None:
        count = int((~bool_masked_pos[0]).sum())
    return bool_masked_pos.to(torch.uint8).argsort(dim=1, stable=True)[:, :count]


def masked_indices(bool_masked_pos: torch.BoolTensor, count: int) -> torch.LongTensor:
    """
    Indices of the hidden patches, in image order, of shape `(batch, count)`. A row with fewer is filled up with
    patches that are seen: `bool_masked_pos.gather(1, indices)` tells which are hidden, for the weights of a loss.

    Args:
        bool_masked_pos (`torch.BoolTensor` of shape `(batch, patches)`): True = hidden.
        count (`int`): at least the largest number of hidden patches in a row.
    """
    return visible_indices(~bool_masked_pos, count)


def ranks(values: torch.Tensor) -> torch.LongTensor:
    """The place of each value in its row, from 0 for the smallest."""
    return values.argsort(dim=1).argsort(dim=1)


def _corner(draw: torch.Tensor, room: torch.Tensor) -> torch.LongTensor:
    """A whole number in 0, ..., room for each draw in [0, 1)."""
    room = room.clamp_min(0)
    return torch.minimum((draw * (room + 1)).long(), room.long())


def _rectangles(grid: tuple[int, int], top, left, height, width) -> torch.BoolTensor:
    """Masks (..., rows, columns) that are True inside of rectangles (...), as far as these lie in the grid."""
    row, column = torch.arange(grid[0])[:, None], torch.arange(grid[1])
    top, left, height, width = (x[..., None, None] for x in torch.broadcast_tensors(top, left, height, width))
    return (row >= top) & (row < top + height) & (column >= left) & (column < left + width)
