"""Which frames of a clip a view shows, and one crop for all of them."""

import torch

from .resize import crop_resize, uniform

# Where a crop may lie, in quarters of the room there is (down, right): TSN's corners, middles and inner points.
_PLACES = torch.tensor(
    [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2), (2, 0), (2, 4), (4, 2), (0, 2), (1, 1), (1, 3), (3, 1), (3, 3)]
)
_NEARLY = 3  # pixels: a crop that differs by less from the view's size is not resized


def sample_frames(
    lengths: torch.LongTensor, num_frames: int, stride: int, generator: torch.Generator | None = None
) -> torch.LongTensor:
    """
    Indices of `num_frames` frames, `stride` apart, from a random place in each clip. In one that is too short the last
    frames are the last one that is reached (VideoMAE, arXiv:2203.12602, as in the official code).

    Args:
        lengths (`torch.LongTensor` of shape `(batch,)`): frames of each clip.

    Returns:
        `torch.LongTensor` of shape `(batch, num_frames)`, on the CPU.
    """
    room = (lengths - num_frames * stride + 1).clamp_min(1)
    start = (uniform((len(lengths),), generator).double() * room).long().clamp_max(room - 1)
    index, last = start, lengths - 1
    frames = []
    for _ in range(num_frames):
        frames.append(index)
        index = torch.where(index + stride < last, index + stride, index)
    return torch.stack(frames, dim=1).clamp_max(last[:, None])


def multi_scale_boxes(
    heights: torch.LongTensor,
    widths: torch.LongTensor,
    size: int,
    scales: list[float],
    generator: torch.Generator | None = None,
) -> torch.LongTensor:
    """
    Crops whose sides are shares of the shorter side of a clip, at one of 13 places (TSN, arXiv:1608.00859, section
    3.2; VideoMAE).

    Args:
        heights, widths (`torch.LongTensor` of shape `(batch,)`): in pixels.
        size (`int`): side of the view; a side of a crop that nearly is it becomes it.
        scales (`list[float]`): largest first. Height and width take the same, or two that are next to each other.

    Returns:
        `torch.LongTensor` of shape `(batch, 4)`: top, left, height, width in pixels.
    """
    pairs = torch.tensor([(i, j) for i in range(len(scales)) for j in range(len(scales)) if abs(i - j) <= 1])
    shorter = torch.minimum(heights, widths)[:, None]
    sides = (shorter * torch.tensor(scales, dtype=torch.float64)).long().clamp_min(1)
    sides = torch.where(((sides - size).abs() < _NEARLY) & (size <= shorter), size, sides)
    which, where = uniform((2, len(heights)), generator).double().unbind(0)
    chosen = pairs[(which * len(pairs)).long().clamp_max(len(pairs) - 1)]  # [B, 2]
    box = sides.gather(1, chosen)
    step = (torch.stack([heights, widths], dim=1) - box) // 4
    corner = step * _PLACES[(where * len(_PLACES)).long().clamp_max(len(_PLACES) - 1)]
    return torch.cat([corner, box], dim=1)


@torch.no_grad()
def crop_clips(
    clips: list[torch.Tensor] | torch.Tensor,
    boxes: torch.LongTensor,
    size: int,
    flip: torch.BoolTensor,
    interpolation: str = "bilinear",
) -> torch.Tensor:
    """
    Crop and resize all frames of a clip to one box.

    Args:
        clips (`torch.Tensor` of shape `(batch, frames, channels, height, width)`, or a list of `(frames, channels,
            height, width)` of as many frames): uint8 in 0..255 or float in 0..1.
        boxes (`torch.LongTensor` of shape `(batch, 4)`), flip (`torch.BoolTensor` of shape `(batch,)`): see
            `crop_resize`.

    Returns:
        `torch.FloatTensor` of shape `(batch, frames, channels, size, size)` in [0, 1].
    """
    frames = clips[0].shape[0]
    alike = isinstance(clips, torch.Tensor) or len({clip.shape for clip in clips}) == 1
    if alike:
        images = (clips if isinstance(clips, torch.Tensor) else torch.stack(list(clips))).flatten(0, 1)
    else:
        images = [frame for clip in clips for frame in clip]
    boxes, flip = boxes.repeat_interleave(frames, 0), flip.repeat_interleave(frames, 0)
    return crop_resize(images, boxes, size, flip, interpolation).clamp_(0, 1).unflatten(0, (-1, frames))
