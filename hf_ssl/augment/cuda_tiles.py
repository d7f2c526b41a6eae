"""What a Triton program does with its tile of a view: rows x columns of red, green and blue, alike for one channel."""

import triton
import triton.language as tl


@triton.jit
def load(at, plane, mask, CHANNELS: tl.constexpr):
    red = tl.load(at, mask=mask, other=0).to(tl.float32)
    green = red
    blue = red
    if CHANNELS == 3:
        green = tl.load(at + plane, mask=mask, other=0).to(tl.float32)
        blue = tl.load(at + 2 * plane, mask=mask, other=0).to(tl.float32)
    return red, green, blue


@triton.jit
def store(at, plane, mask, red, green, blue, CHANNELS: tl.constexpr):
    tl.store(at, red, mask=mask)
    if CHANNELS == 3:
        tl.store(at + plane, green, mask=mask)
        tl.store(at + 2 * plane, blue, mask=mask)


@triton.jit
def tile(ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)
    return row, column


@triton.jit
def unit(x):
    return tl.minimum(tl.maximum(x, 0.0), 1.0)


@triton.jit
def grey(red, green, blue):
    return 0.299 * red + 0.587 * green + 0.114 * blue


@triton.jit
def _turned(high, chroma, hue, turn):
    x = tl.abs(tl.abs(hue + turn) - 3)
    return unit(high - 2 * chroma + chroma * tl.minimum(tl.maximum(x, 1.0), 2.0))


@triton.jit
def jittered(red, green, blue, steps, mean, factors, CHANNELS: tl.constexpr):
    """The steps of a jitter, three bits each, on one tile; `mean` is the mean grey when contrast's turn comes."""
    for place in range(4):
        step = (steps >> (3 * place)) & 7
        if step == 1:
            factor = tl.load(factors)
            red = tl.minimum(red * factor, 1.0)
            green = tl.minimum(green * factor, 1.0)
            blue = tl.minimum(blue * factor, 1.0)
        if step == 2:
            factor = tl.load(factors + 1)
            offset = mean * (1 - factor)
            red = unit(red * factor + offset)
            green = unit(green * factor + offset)
            blue = unit(blue * factor + offset)
        if CHANNELS == 3:
            if step == 3:
                factor = tl.load(factors + 2)
                offset = grey(red, green, blue) * (1 - factor)
                red = unit(red * factor + offset)
                green = unit(green * factor + offset)
                blue = unit(blue * factor + offset)
            if step == 4:
                high = tl.maximum(tl.maximum(red, green), blue)
                low = tl.minimum(tl.minimum(red, green), blue)
                chroma = high - low
                hue = tl.abs(green + blue - red + chroma - low)
                hue = tl.where(green < blue, -hue, hue) / tl.maximum(chroma, 1e-8)
                red = _turned(high, chroma, hue, tl.load(factors + 3))
                green = _turned(high, chroma, hue, tl.load(factors + 4))
                blue = _turned(high, chroma, hue, tl.load(factors + 5))
    return red, green, blue
