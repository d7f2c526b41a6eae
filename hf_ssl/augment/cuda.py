"""
Views on a CUDA device in five kernels, whatever the sizes of the images: resize along the width; along the height,
with the sums that contrast needs; jitter; blur along the width; blur along the height, with all that is left.
Everything random comes from the CPU, as it does there, in one small table. Needs Triton.
"""

import math

import torch
from triton import cdiv, next_power_of_2

from ..utils.packed_images import PackedImages
from . import cuda_kernels as kernels
from .finish import Finish

_TILE = 2048  # values of a channel that a program holds, at most


@torch.no_grad()
def fused_views(
    images: PackedImages, boxes: torch.Tensor, draws, policy, support: int, finish: Finish
) -> torch.Tensor:
    """
    What `make_view` gives, of images of 1 or 3 channels, under a policy without RandAugment, cutout, noise and Sobel.

    Args:
        images ([`PackedImages`]): on the device.
        boxes (`torch.LongTensor` of shape `(batch, 4)`): top, left, height and width of the crops.
        draws, policy: of `make_view`.
        support (`int`): half-width of the resizing filter: 1 for bilinear, 2 for bicubic.
        finish ([`Finish`])

    Returns:
        `torch.FloatTensor` of shape `(batch, channels, size, size)`.
    """
    batch, size, channels, device = len(images), policy.size, images.channels, images.device
    whole, factors = _table(images, boxes, draws, policy, device)
    top = int(boxes[:, 2].max())
    columns = min(256, next_power_of_2(size))
    rows = min(_TILE // columns, next_power_of_2(size))
    grid = (batch, cdiv(size, rows), cdiv(size, columns))
    tile = {"SIZE": size, "CHANNELS": channels, "ROWS": rows, "COLUMNS": columns, "num_warps": 8}
    values = batch * channels * size**2
    views = torch.empty(values, device=device)
    # Strips of the crops, and once they are used up what is blurred along the width.
    room = torch.empty(max(int(boxes[:, 2].sum()) * channels * size, values), device=device)
    sums = torch.empty(math.prod(grid), device=device)
    scale = 1 / 255 if images.dtype == torch.uint8 else 1.0
    out_channels = finish.channels_of(channels)
    mean, share = ((list(v) * 3)[:3] for v in (finish.mean, [1 / s for s in finish.std]))
    out = torch.empty(batch, out_channels, size, size, device=device)
    with torch.cuda.device_of(images.pixels):
        stride_x = channels if images.interleaved else 1
        filtered = tile | {"SUPPORT": support}
        kernels.resize_columns[(batch, cdiv(top, rows), grid[2])](images.pixels, whole, room, stride_x, **filtered)
        kernels.resize_rows[grid](room, whole, factors, views, sums, scale, **filtered)
        if policy.jitter_probability:
            kernels.jitter[grid](views, whole, factors, sums, BLOCKS=next_power_of_2(grid[1] * grid[2]), **tile)
        if policy.blur_probability:
            kernels.blur_columns[grid](views, whole, factors, room, **tile)
        kernels.finish[grid](
            views,
            room,
            whole,
            factors,
            out,
            policy.solarize_threshold,
            *mean,
            *share,
            OUT_CHANNELS=out_channels,
            **tile,
        )
    return out


def _table(images: PackedImages, boxes, draws, policy, device) -> tuple[torch.Tensor, torch.Tensor]:
    """What happens to each view, in one copy to the device: whole numbers (batch, 12) and factors (batch, 8)."""
    batch, channels = len(images), images.channels
    top, left, height, width = boxes.unbind(1)
    heights, widths = images.sizes.unbind(1)
    stride_x, stride_c = (channels, torch.ones_like(heights)) if images.interleaved else (1, heights * widths)
    stride_y = widths * stride_x
    start = images.offsets + top * stride_y + left * stride_x
    acts = torch.tensor([f is not None and (channels == 3 or i < 2) for i, f in enumerate(draws.factors)])
    steps = (draws.order + 1) * (acts[draws.order] & draws.jitter[:, None])
    contrast = steps == 2
    bits = 2 ** torch.arange(0, 12, 3)
    before = contrast.flip(1).cumsum(1).flip(1) - contrast.long()  # 1 where contrast comes later
    radius = (5.5 * draws.sigma).ceil().long().clamp_max(policy.blur_taps // 2)  # as `gaussian_blur_`
    last = draws.turns + 4 * draws.gray + 8 * draws.solarize
    strip = height.cumsum(0) - height
    fields = [start, stride_y, stride_c, height, width, strip, draws.flip.long()]
    fields += [(steps * bits).sum(1), (steps * before * bits).sum(1), contrast.any(1).long(), radius, last]
    one = torch.ones(batch)
    *factors, turn = (one if f is None else f for f in draws.factors)
    turn = one[:, None].expand(batch, 3) if draws.factors[3] is None else turn.view(batch, 3)
    sigma = draws.sigma.clamp_min(1e-3)
    table = torch.empty(batch * (12 * 8 + 8 * 4), dtype=torch.uint8, pin_memory=device.type == "cuda")

    def parts(table):
        whole, factors = table.split([batch * 12 * 8, batch * 8 * 4])
        return whole.view(torch.int64).view(batch, 12), factors.view(torch.float32).view(batch, 8)

    whole, values = parts(table)
    torch.stack(fields, dim=1, out=whole)
    torch.stack([*factors, *turn.unbind(1), sigma, one], dim=1, out=values)
    return parts(table.to(device, non_blocking=True))
