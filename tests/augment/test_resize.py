"""Crops against torchvision's rules, resizing against `F.interpolate`."""

import math

import pytest
import torch
import torch.nn.functional as F

from hf_ssl.augment import crop_resize, random_crop_boxes
from hf_ssl.augment.resize import SMALL_IMAGE


def pictures(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def reference(image, box, size, mode, flip=False):
    top, left, height, width = box
    crop = image[None, :, top : top + height, left : left + width].float() / 255
    resized = F.interpolate(crop, size, mode=mode, align_corners=False, antialias=True)[0]
    return resized.flip(-1) if flip else resized


# Small images go through as a batch, large ones one by one in uint8, which rounds after each direction: both paths,
# both directions, thin and single-pixel crops.
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("source", "size"),
    [((32, 32), 32), ((40, 51), 32), ((33, 17), 96), ((3, 2), 7), ((1, 1), 5), ((20, 90), (9, 31))]
    + [((256, 256), 224), ((300, 200), (64, 48)), ((500, 700), 32), ((130, 131), 131)],
)
def test_equals_interpolate(source, size, channels, mode):
    height, width = source
    large = channels * height * width > SMALL_IMAGE
    images = pictures(6, channels, 9 if large else height, 9 if large else width)
    if large:  # smooth: in uint8 there is no overshoot
        images = F.interpolate(images / 4 + 96, source, mode="bilinear").byte()
    full = torch.full((6,), height), torch.full((6,), width)
    boxes = random_crop_boxes(*full, (0.001, 1.0), (0.3, 3.0), torch.Generator().manual_seed(1))
    boxes[0] = torch.tensor([0, 0, height, width])
    boxes[1] = torch.tensor([height - 1, width - 1, 1, 1])
    boxes[2] = torch.tensor([0, 0, 1, width])
    flip = torch.tensor([True, False, True, False, True, False])
    out = crop_resize(images, boxes, size, flip, mode)
    assert out.dtype == torch.float32 and out.is_contiguous()
    floats = crop_resize(images / 255, boxes, size, flip, mode)
    for i, box in enumerate(boxes.tolist()):
        expected = reference(images[i], box, size, mode, bool(flip[i]))
        torch.testing.assert_close(floats[i], expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(out[i], expected, atol=1.2 / 255 if large else 1e-5, rtol=0)


def test_list_of_sizes_equals_one_at_a_time():
    images = [pictures(3, 40 + 7 * i, 90 - 9 * i, seed=i) for i in range(4)]
    sizes = torch.tensor([i.shape[1] for i in images]), torch.tensor([i.shape[2] for i in images])
    boxes = random_crop_boxes(*sizes, generator=torch.Generator().manual_seed(0))
    together = crop_resize(images, boxes, 24, interpolation="bicubic")
    for i, image in enumerate(images):
        alone = crop_resize(image[None], boxes[i : i + 1], 24, interpolation="bicubic")
        torch.testing.assert_close(together[i], alone[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("side", [24, 160])
def test_list_of_one_size_equals_a_tensor(side):
    images = pictures(4, 3, side, side)
    boxes = torch.tensor([[1, 2, 9, 12]] * 4)
    assert torch.equal(crop_resize(list(images), boxes, 16), crop_resize(images, boxes, 16))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("side", [30, 130])
def test_half_precision(dtype, side):
    images = (pictures(2, 3, side, side) / 255).to(dtype)
    boxes = torch.tensor([[1, 2, 20, 25]] * 2)
    out = crop_resize(images, boxes, 16)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, crop_resize(images.float(), boxes, 16), atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_float_equals_uint8(dtype):
    images = pictures(4, 3, 30, 30)
    boxes = torch.tensor([[1, 2, 20, 25]] * 4)
    out = crop_resize(images.to(dtype) / 255, boxes, 16)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, crop_resize(images, boxes, 16), atol=1e-6, rtol=0)


@pytest.mark.parametrize("side", [24, 160])
def test_a_sample_does_not_depend_on_the_others(side):
    images = pictures(5, 3, side, side)
    boxes = torch.tensor([[0, 0, 10, 10], [3, 4, 11, 9], [0, 0, side, side], [1, 1, 1, 1], [5, 5, 5, 5]])
    before = crop_resize(images, boxes, 16)
    images[[0, 2, 3, 4]] = pictures(4, 3, side, side, seed=9)
    assert torch.equal(crop_resize(images, boxes, 16)[1], before[1])


def test_inputs_that_are_not_contiguous():
    images = pictures(3, 20, 24, 3).permute(0, 3, 1, 2)
    boxes = torch.tensor([[1, 2, 15, 20]] * 3)
    assert torch.equal(crop_resize(images, boxes, 16), crop_resize(images.contiguous(), boxes, 16))


def test_boxes_follow_the_requested_distribution():
    n = 4000
    heights, widths = torch.full((n,), 200), torch.full((n,), 300)
    top, left, height, width = random_crop_boxes(
        heights, widths, (0.1, 0.3), (0.5, 2.0), torch.Generator().manual_seed(0)
    ).unbind(1)
    assert (top >= 0).all() and (left >= 0).all() and (top + height <= 200).all() and (left + width <= 300).all()
    area, ratio = height * width / 60000, width / height
    assert area.min() > 0.095 and area.max() < 0.31 and abs(area.mean() - 0.2) < 0.005
    assert ratio.min() > 0.48 and ratio.max() < 2.1 and abs(ratio.log().mean()) < 0.03
    # the corner is uniform over what is left
    assert abs(((left + 0.5) / (301 - width)).mean() - 0.5) < 0.02
    assert left.min() == 0 and (left + width).max() == 300


def test_centre_crop_when_nothing_fits():
    sizes = torch.tensor([10, 1000, 1]), torch.tensor([1000, 10, 1])
    boxes = random_crop_boxes(*sizes, (1.0, 1.0), (3 / 4, 4 / 3), torch.Generator().manual_seed(0))
    assert boxes.tolist() == [[0, (1000 - 13) // 2, 10, 13], [(1000 - 13) // 2, 0, 13, 10], [0, 0, 1, 1]]


def test_boxes_do_not_depend_on_the_other_sizes():
    sizes = torch.tensor([50, 60, 70])
    other = torch.tensor([10, 60, 1000])
    boxes = [random_crop_boxes(s, s.flip(0), generator=torch.Generator().manual_seed(3)) for s in (sizes, other)]
    assert not torch.equal(*boxes) and torch.equal(boxes[0][1], boxes[1][1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": torch.tensor([[0, 0, 9, 8], [0, 0, 8, 8]])}, "sample 0 leaves"),
        ({"boxes": torch.tensor([[0, 0, 8, 8], [0, 0, 0, 8]])}, "sample 1 leaves"),
        ({"boxes": torch.tensor([[0, 0, 8, 8]])}, "boxes of shape"),
        ({"flip": torch.tensor([True])}, "flip"),
        ({"interpolation": "lanczos"}, "interpolation"),
        ({"images": torch.zeros(2, 4, 8, 8)}, "channels"),
        ({"images": torch.zeros(3, 8, 8)}, "channels"),
        ({"images": torch.zeros(2, 3, 8, 8, dtype=torch.int64)}, "uint8"),
        ({"images": [torch.zeros(3, 8, 8), torch.zeros(1, 8, 8)]}, "channels"),
        ({"images": []}, "empty"),
    ],
)
def test_errors(change, message):
    arguments = {"images": pictures(2, 3, 8, 8), "boxes": torch.tensor([[0, 0, 8, 8]] * 2), "size": 4}
    with pytest.raises(ValueError, match=message):
        crop_resize(**(arguments | change))


@pytest.mark.parametrize("change", [{"scale": (0.0, 1.0)}, {"ratio": (2.0, 1.0)}, {"scale": (0.5, math.nan)}])
def test_errors_of_boxes(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        random_crop_boxes(torch.tensor([8]), torch.tensor([8]), **change)
