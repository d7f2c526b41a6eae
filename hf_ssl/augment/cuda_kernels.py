"""
The five kernels of `cuda`, in Triton: a program holds a tile of one view. What a step computes is what `resize`,
`color` and `ops` compute.
"""

import triton
import triton.language as tl

from .cuda_tiles import grey, jittered, load, store, tile, unit

# Columns of the table that says what happens to a view: whole numbers, then factors.
START, STRIDE_Y, STRIDE_C, HEIGHT, WIDTH, STRIP, FLIP, STEPS, BEFORE, CONTRAST, RADIUS, LAST, WHOLE = (
    tl.constexpr(i) for i in range(13)
)
SIGMA, FACTORS = tl.constexpr(6), tl.constexpr(8)  # brightness, contrast, saturation, the hue's turn by channel, sigma
GREY, SOLARIZE = tl.constexpr(4), tl.constexpr(8)  # bits of LAST, above the quarters of the rotation


@triton.jit
def _taps(place, length, SIZE: tl.constexpr, SUPPORT: tl.constexpr):
    """Of outputs at `place`: centre and first input, how far the filter is stretched, and how many inputs it sees."""
    ratio = length / SIZE
    stretch = tl.maximum(ratio, 1.0)
    centre = (place + 0.5) * ratio
    first = tl.ceil(centre - SUPPORT * stretch - 0.5)
    return centre, first, stretch, tl.ceil(2 * SUPPORT * stretch).to(tl.int32)


@triton.jit
def _weight(at, centre, stretch, length, SUPPORT: tl.constexpr):
    """Of the input `at`: 0 outside the crop."""
    x = tl.minimum(tl.abs((at + 0.5 - centre) / stretch), SUPPORT)
    if SUPPORT == 1:
        weight = 1 - x
    else:
        inner = (1.5 * x - 2.5) * x * x + 1
        outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
        weight = tl.where(x < 1, inner, outer)
    return tl.where((at >= 0) & (at < length), weight, 0.0)


@triton.jit
def resize_columns(
    pixels,
    whole,
    strips,
    stride_x,
    SIZE: tl.constexpr,
    CHANNELS: tl.constexpr,
    SUPPORT: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Crop, flip, and resize along the width: strips [rows of all crops, channels, SIZE], not yet scaled to 1."""
    fields = whole + tl.program_id(0).to(tl.int64) * WHOLE
    height = tl.load(fields + HEIGHT).to(tl.int32)
    if tl.program_id(1) * ROWS < height:
        width = tl.load(fields + WIDTH).to(tl.int32)
        plane = tl.load(fields + STRIDE_C)
        row, column = tile(ROWS, COLUMNS)
        valid = (row < height)[:, None] & (column < SIZE)[None, :]
        place = tl.where(tl.load(fields + FLIP) != 0, SIZE - 1 - column, column)
        centre, first, stretch, taps = _taps(place, width, SIZE, SUPPORT)
        start = pixels + tl.load(fields + START) + row[:, None] * tl.load(fields + STRIDE_Y)
        total = tl.zeros([COLUMNS], tl.float32)
        red = tl.zeros([ROWS, COLUMNS], tl.float32)
        green = tl.zeros([ROWS, COLUMNS], tl.float32)
        blue = tl.zeros([ROWS, COLUMNS], tl.float32)
        for tap in range(taps):
            at = first + tap
            weight = _weight(at, centre, stretch, width, SUPPORT)
            total += weight
            mask = valid & ((at >= 0) & (at < width))[None, :]
            r, g, b = load(start + (at.to(tl.int32) * stride_x)[None, :], plane, mask, CHANNELS)
            red += weight[None, :] * r
            green += weight[None, :] * g
            blue += weight[None, :] * b
        share = (1 / total)[None, :]
        out = strips + (tl.load(fields + STRIP) + row)[:, None] * (CHANNELS * SIZE) + column[None, :]
        store(out, SIZE, valid, red * share, green * share, blue * share, CHANNELS)


@triton.jit
def resize_rows(
    strips,
    whole,
    factors,
    views,
    sums,
    scale,
    SIZE: tl.constexpr,
    CHANNELS: tl.constexpr,
    SUPPORT: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Resize along the height: views [views, channels, SIZE, SIZE] in [0, 1]. Sums of grey where contrast needs it."""
    view = tl.program_id(0).to(tl.int64)
    fields = whole + view * WHOLE
    height = tl.load(fields + HEIGHT).to(tl.int32)
    row, column = tile(ROWS, COLUMNS)
    valid = (row < SIZE)[:, None] & (column < SIZE)[None, :]
    centre, first, stretch, taps = _taps(row, height, SIZE, SUPPORT)
    start = strips + tl.load(fields + STRIP) * (CHANNELS * SIZE) + column[None, :]
    total = tl.zeros([ROWS], tl.float32)
    red = tl.zeros([ROWS, COLUMNS], tl.float32)
    green = tl.zeros([ROWS, COLUMNS], tl.float32)
    blue = tl.zeros([ROWS, COLUMNS], tl.float32)
    for tap in range(taps):
        at = first + tap
        weight = _weight(at, centre, stretch, height, SUPPORT)
        total += weight
        mask = valid & ((at >= 0) & (at < height))[:, None]
        r, g, b = load(start + (at.to(tl.int32) * (CHANNELS * SIZE))[:, None], SIZE, mask, CHANNELS)
        red += weight[:, None] * r
        green += weight[:, None] * g
        blue += weight[:, None] * b
    share = (scale / total)[:, None]
    red = unit(red * share)
    green = unit(green * share)
    blue = unit(blue * share)
    out = views + view * (CHANNELS * SIZE * SIZE) + row[:, None] * SIZE + column[None, :]
    store(out, SIZE * SIZE, valid, red, green, blue, CHANNELS)
    if tl.load(fields + CONTRAST) != 0:
        steps = tl.load(fields + BEFORE).to(tl.int32)
        red, green, blue = jittered(red, green, blue, steps, 0.0, factors + view * FACTORS, CHANNELS)
        shade = red if CHANNELS == 1 else grey(red, green, blue)
        block = (view * tl.num_programs(1) + tl.program_id(1)) * tl.num_programs(2) + tl.program_id(2)
        tl.store(sums + block, tl.sum(tl.where(valid, shade, 0.0)))


@triton.jit
def jitter(
    views,
    whole,
    factors,
    sums,
    SIZE: tl.constexpr,
    CHANNELS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """The colour jitter of those views that have one, in place."""
    view = tl.program_id(0).to(tl.int64)
    steps = tl.load(whole + view * WHOLE + STEPS).to(tl.int32)
    if steps != 0:
        blocks = tl.num_programs(1) * tl.num_programs(2)
        block = tl.arange(0, BLOCKS)
        used = (block < blocks) & (tl.load(whole + view * WHOLE + CONTRAST) != 0)
        mean = tl.sum(tl.load(sums + view * blocks + block, mask=used, other=0.0)) / (SIZE * SIZE)
        row, column = tile(ROWS, COLUMNS)
        valid = (row < SIZE)[:, None] & (column < SIZE)[None, :]
        at = views + view * (CHANNELS * SIZE * SIZE) + row[:, None] * SIZE + column[None, :]
        red, green, blue = load(at, SIZE * SIZE, valid, CHANNELS)
        red, green, blue = jittered(red, green, blue, steps, mean, factors + view * FACTORS, CHANNELS)
        store(at, SIZE * SIZE, valid, red, green, blue, CHANNELS)


@triton.jit
def _blurred(start, y, x, dy, dx, radius, sigma, valid, SIZE: tl.constexpr, CHANNELS: tl.constexpr):
    """Gaussian sums along (dy, dx) around the pixels (y, x), with mirrored borders."""
    total = 0.0
    red = tl.zeros_like(y + x).to(tl.float32)
    green = red
    blue = red
    for offset in range(-radius, radius + 1):
        weight = tl.exp(-0.5 * offset * offset / (sigma * sigma))
        total += weight
        i = SIZE - 1 - tl.abs(SIZE - 1 - tl.abs(y + dy * offset))
        j = SIZE - 1 - tl.abs(SIZE - 1 - tl.abs(x + dx * offset))
        r, g, b = load(start + i * SIZE + j, SIZE * SIZE, valid, CHANNELS)
        red += weight * r
        green += weight * g
        blue += weight * b
    return red / total, green / total, blue / total


@triton.jit
def blur_columns(
    views,
    whole,
    factors,
    out,
    SIZE: tl.constexpr,
    CHANNELS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """The blur along the width of those views that have one."""
    view = tl.program_id(0).to(tl.int64)
    radius = tl.load(whole + view * WHOLE + RADIUS).to(tl.int32)
    if radius > 0:
        sigma = tl.load(factors + view * FACTORS + SIGMA)
        row, column = tile(ROWS, COLUMNS)
        valid = (row < SIZE)[:, None] & (column < SIZE)[None, :]
        start = view * (CHANNELS * SIZE * SIZE)
        y, x = row[:, None], column[None, :]
        red, green, blue = _blurred(views + start, y, x, 0, 1, radius, sigma, valid, SIZE, CHANNELS)
        store(out + start + y * SIZE + x, SIZE * SIZE, valid, red, green, blue, CHANNELS)


@triton.jit
def finish(
    views,
    blurred,
    whole,
    factors,
    out,
    threshold,
    mean_red,
    mean_green,
    mean_blue,
    scale_red,
    scale_green,
    scale_blue,
    SIZE: tl.constexpr,
    CHANNELS: tl.constexpr,
    OUT_CHANNELS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """The blur along the height, grey, solarisation, rotation and normalisation, where a view has them."""
    view = tl.program_id(0).to(tl.int64)
    radius = tl.load(whole + view * WHOLE + RADIUS).to(tl.int32)
    last = tl.load(whole + view * WHOLE + LAST).to(tl.int32)
    row, column = tile(ROWS, COLUMNS)
    valid = (row < SIZE)[:, None] & (column < SIZE)[None, :]
    # Where a pixel was before the counter-clockwise rotation.
    quarters = last & 3
    i = row[:, None] + 0 * column[None, :]
    j = column[None, :] + 0 * row[:, None]
    y = tl.where(quarters % 2 == 0, i, j)
    x = tl.where(quarters % 2 == 0, j, i)
    y = tl.where(quarters >= 2, SIZE - 1 - y, y)
    x = tl.where((quarters == 1) | (quarters == 2), SIZE - 1 - x, x)
    start = view * (CHANNELS * SIZE * SIZE)
    if radius > 0:
        sigma = tl.load(factors + view * FACTORS + SIGMA)
        red, green, blue = _blurred(blurred + start, y, x, 1, 0, radius, sigma, valid, SIZE, CHANNELS)
        red, green, blue = unit(red), unit(green), unit(blue)
    else:
        red, green, blue = load(views + start + y * SIZE + x, SIZE * SIZE, valid, CHANNELS)
    if CHANNELS == 3:
        if (last & GREY) != 0:
            red = grey(red, green, blue)
            green = red
            blue = red
    if (last & SOLARIZE) != 0:
        red = tl.where(red >= threshold, 1 - red, red)
        green = tl.where(green >= threshold, 1 - green, green)
        blue = tl.where(blue >= threshold, 1 - blue, blue)
    red = (red - mean_red) * scale_red
    green = (green - mean_green) * scale_green
    blue = (blue - mean_blue) * scale_blue
    at = out + view * (OUT_CHANNELS * SIZE * SIZE) + row[:, None] * SIZE + column[None, :]
    store(at, SIZE * SIZE, valid, red, green, blue, OUT_CHANNELS)
