"""Frames and crops of clips, against the official code's arithmetic."""

import torch

from hf_ssl.augment.clips import crop_clips, multi_scale_boxes, sample_frames
from hf_ssl.augment.resize import crop_resize


def official_frames(length: int, start: int, count: int, stride: int) -> list[int]:
    """VideoMAE's loader, which counts from 1: it stays where the next step would leave the clip."""
    frames, offset = [], start + 1
    for _ in range(count):
        frames.append(min(offset, length) - 1)
        if offset + stride < length:
            offset += stride
    return frames


def test_frames_are_those_of_the_official_loader():
    lengths = torch.tensor([64, 100, 33, 10, 5, 1])
    frames = sample_frames(lengths.repeat(50), 16, 4, torch.Generator().manual_seed(0)).unflatten(0, (50, 6))
    for draw in frames.tolist():
        for length, row in zip(lengths.tolist(), draw, strict=True):
            assert row == official_frames(length, row[0], 16, 4)
    starts = frames[:, :, 0]
    assert starts[:, 0].unique().tolist() == [0] and starts[:, 1].max() > 25 and starts[:, 1].max() <= 36
    assert not starts[:, 3:].any()


def test_crops_are_shares_of_the_shorter_side_at_one_of_13_places():
    heights, widths = torch.full((600,), 80), torch.full((600,), 120)
    top, left, height, width = multi_scale_boxes(
        heights, widths, 32, [1, 0.875, 0.75, 0.66], torch.Generator().manual_seed(0)
    ).unbind(1)
    sides = [80, 70, 60, 52]
    pairs = {(sides.index(h), sides.index(w)) for h, w in zip(height.tolist(), width.tolist(), strict=True)}
    assert pairs == {(i, j) for i in range(4) for j in range(4) if abs(i - j) <= 1}
    full = (height == 80) & (width == 80)
    assert set(left[full].tolist()) == {0, 10, 20, 30, 40} and not top[full].any()
    assert ((top + height <= 80) & (left + width <= 120)).all()
    near = multi_scale_boxes(heights[:1], widths[:1], 79, [1.0])
    assert near[0, 2:].tolist() == [79, 79]  # as good as the view: not resized


def test_all_frames_of_a_clip_get_one_crop():
    clip = torch.randint(0, 256, (1, 3, 3, 20, 24), dtype=torch.uint8)
    clip[:, 1:] = clip[:, :1]
    box, flip = torch.tensor([[2, 5, 12, 10]]), torch.tensor([True])
    views = crop_clips(clip, box, 16, flip)
    assert torch.equal(views[0, 0], views[0, 2])
    torch.testing.assert_close(views[0, :1], crop_resize(clip[0, :1], box, 16, flip).clamp(0, 1))
    ragged = crop_clips([clip[0], clip[0, :, :, :18]], box.repeat(2, 1), 16, flip.repeat(2))
    assert ragged.shape == (2, 3, 3, 16, 16)
    torch.testing.assert_close(ragged[0], views[0], atol=2 / 255, rtol=0)
