"""Every operator against Pillow, with strengths as the official code has them; and what is drawn."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from hf_ssl.augment import RANDAUGMENT_OPS, RandAugmentDraws, ViewPolicy, draw_randaugment, make_view, randaugment

MEAN = (124, 116, 104)


def affine(image, matrix, resample, fill):
    return image.transform(image.size, Image.Transform.AFFINE, matrix, resample, fillcolor=fill)


def solarize_add(image, add):
    return image.point([min(255, i + add) if i < 128 else i for i in range(256)] * len(image.getbands()))


def posterize(image, bits):
    return ImageOps.posterize(image, bits) if bits else image.point(lambda value: 0)  # newer Pillow refuses 0 bits


# name -> (image, signed strength, filter, fill) -> image
PILLOW = {
    "autocontrast": lambda image, level, resample, fill: ImageOps.autocontrast(image),
    "equalize": lambda image, level, resample, fill: ImageOps.equalize(image),
    "invert": lambda image, level, resample, fill: ImageOps.invert(image),
    "posterize": lambda image, level, resample, fill: posterize(image, int(abs(level) / 10 * 4)),
    "solarize": lambda image, level, resample, fill: ImageOps.solarize(image, int(abs(level) / 10 * 256)),
    "solarize_add": lambda image, level, resample, fill: solarize_add(image, int(abs(level) / 10 * 110)),
    "color": lambda image, level, resample, fill: ImageEnhance.Color(image).enhance(abs(level) * 0.18 + 0.1),
    "contrast": lambda image, level, resample, fill: ImageEnhance.Contrast(image).enhance(abs(level) * 0.18 + 0.1),
    "brightness": lambda image, level, resample, fill: ImageEnhance.Brightness(image).enhance(abs(level) * 0.18 + 0.1),
    "sharpness": lambda image, level, resample, fill: ImageEnhance.Sharpness(image).enhance(abs(level) * 0.18 + 0.1),
    "rotate": lambda image, level, resample, fill: image.rotate(level * 3, resample, fillcolor=fill),
    "shear_x": lambda image, level, *how: affine(image, (1, level * 0.03, 0, 0, 1, 0), *how),
    "shear_y": lambda image, level, *how: affine(image, (1, 0, 0, level * 0.03, 1, 0), *how),
    "translate_x": lambda image, level, *how: affine(image, (1, 0, level * 0.045 * image.size[0], 0, 1, 0), *how),
    "translate_y": lambda image, level, *how: affine(image, (1, 0, 0, 0, 1, level * 0.045 * image.size[1]), *how),
    "identity": lambda image, level, resample, fill: image,
}
EXACT = {"equalize", "invert", "posterize", "solarize", "solarize_add", "identity"}
LEVELS = [-10.0, -6.3, -2.0, 0.0, 0.7, 4.2, 9.1, 10.0]


def pictures(batch, channels, height, width, seed=0):
    """Smooth uint8 images that do not reach black and white, with some noise."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, channels, 5, 5, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    noise = torch.rand(batch, channels, height, width, generator=generator)
    return ((smooth * 0.7 + noise * 0.2 + 0.05).clamp(0, 1) * 255).round().to(torch.uint8)


def pillow(name, image, level, bicubic):
    grey = len(image) == 1
    picture = Image.fromarray(image[0].numpy() if grey else image.permute(1, 2, 0).numpy())
    fill = round(0.299 * MEAN[0] + 0.587 * MEAN[1] + 0.114 * MEAN[2]) if grey else MEAN
    resample = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    out = torch.from_numpy(np.asarray(PILLOW[name](picture, level, resample, fill)).copy())
    return (out[None] if grey else out.permute(2, 0, 1)).float() / 255


def every(value, batch):
    return torch.full((batch, 1), value)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", RANDAUGMENT_OPS)
def test_every_operator_equals_pillow(name, channels):
    """Exactly where Pillow maps bytes to bytes, else to 2 of 255: its blends round twice, and its results are cut."""
    images = pictures(len(LEVELS), channels, 27, 36)
    for bicubic in (False, True):
        draws = RandAugmentDraws(
            every(0, len(images)), torch.tensor(LEVELS)[:, None], every(bicubic, len(images)).bool()
        )
        out = randaugment(images, (name,), draws)
        for image, result, level in zip(images, out, LEVELS, strict=True):
            expected = pillow(name, image, level, bicubic)
            atol = 1e-6 if name in EXACT else 2 / 255
            torch.testing.assert_close(result, expected, atol=atol, rtol=0)
            if name not in EXACT:  # no bias beyond the rounding
                assert (result - expected).abs().mean() < 0.8 / 255


@pytest.mark.parametrize("name", ["autocontrast", "equalize"])
def test_flat_and_tiny_images(name):
    flat = torch.full((1, 3, 4, 4), 77, dtype=torch.uint8)
    flat[:, 1, 0, 0] = 78
    flat[:, 2] = torch.arange(16).view(4, 4) * 16
    out = randaugment(flat, (name,), RandAugmentDraws(every(0, 1), every(10.0, 1), every(True, 1)))
    torch.testing.assert_close(out[0], pillow(name, flat[0], 10.0, True), atol=1.01 / 255, rtol=0)


def test_the_border_is_not_sharpened_and_tiny_images_are_left_alone():
    tiny = pictures(1, 3, 2, 9)
    draws = RandAugmentDraws(every(0, 1), every(10.0, 1), every(True, 1))
    assert torch.equal(randaugment(tiny, ("sharpness",), draws), tiny / 255)


def test_layers_follow_each_other_and_samples_have_their_own():
    images = pictures(4, 3, 16, 16)
    names = ("invert", "rotate", "posterize")
    op = torch.tensor([[0, 1], [1, 0], [2, 2], [-1, -1]])
    level = torch.tensor([[10.0, -5.0], [7.0, 3.0], [6.0, 9.0], [1.0, 1.0]])
    bicubic = torch.tensor([[True, False], [True, False], [False, False], [True, True]])
    kept = images.clone()
    out = randaugment(images, names, RandAugmentDraws(op, level, bicubic))
    assert torch.equal(images, kept) and torch.equal(out[3], images[3] / 255)
    for i in range(3):
        alone = images[i : i + 1]
        for layer in range(2):
            one = RandAugmentDraws(*(t[i : i + 1, layer : layer + 1] for t in (op, level, bicubic)))
            alone = randaugment(alone, names, one)
        torch.testing.assert_close(out[i], alone[0], atol=1e-6, rtol=0)
    again = torch.cat([images[:1], pictures(3, 3, 16, 16, seed=1)])
    assert torch.equal(randaugment(again, names, RandAugmentDraws(op, level, bicubic))[0], out[0])


def test_draws():
    draws = draw_randaugment(20000, RANDAUGMENT_OPS, 2, 0.5, 9.0, 0.5, torch.Generator().manual_seed(0))
    assert draws.op.shape == (20000, 2) and abs((draws.op >= 0).float().mean() - 0.5) < 0.01
    counts = torch.bincount(draws.op[draws.op >= 0], minlength=len(RANDAUGMENT_OPS))
    assert (counts - 20000 / len(RANDAUGMENT_OPS)).abs().max() < 120
    same = (draws.op[:, 0] == draws.op[:, 1])[(draws.op >= 0).all(1)].float().mean()
    assert abs(same - 1 / len(RANDAUGMENT_OPS)) < 0.01  # with replacement
    level = draws.level.abs()
    assert abs(level.median() - 9) < 0.02 and level.max() == 10  # two standard deviations up: clamped
    assert abs((level < 8.5).float().mean() - 0.1587) < 0.01
    assert abs((draws.level > 0).float().mean() - 0.5) < 0.01 and abs(draws.bicubic.float().mean() - 0.5) < 0.01
    fixed = draw_randaugment(100, RANDAUGMENT_OPS, 2, 1.0, 10.0, 0.0, torch.Generator().manual_seed(0))
    assert (fixed.level.abs() == 10).all() and (fixed.op >= 0).all()


def test_place_in_the_pipeline():
    """After blur, before grey: a view that turned grey before RandAugment would have a coloured border."""
    nothing = {"crop_scale": None, "flip_probability": 0, "jitter_probability": 0}
    policy = ViewPolicy(
        32, **nothing, grayscale_probability=1, randaugment_ops=("translate_x",), randaugment_probability=1
    )
    out = make_view(pictures(4, 3, 32, 32), policy, torch.Generator().manual_seed(0))
    assert torch.equal(out[:, 0], out[:, 2])
    blurred = ViewPolicy(
        32, **nothing, grayscale_probability=0, blur_probability=1, blur_sigma=(2.0, 2.0), blur_kernel_size=9,
        randaugment_ops=("translate_x",), randaugment_probability=1,
    )  # fmt: skip
    out = make_view(pictures(1, 3, 32, 32), blurred, torch.Generator().manual_seed(0))[0]
    fill = torch.tensor(MEAN) / 255
    border = (out - fill[:, None, None]).abs().amax((0, 1)) < 1e-6  # columns of nothing but fill: a sharp edge
    assert border.sum() in (14, 15, 16, 17, 18)


def test_other_draws_stay_as_they_were():
    images = pictures(8, 3, 20, 20)
    policy = {"size": 16, "brightness": 0.5, "blur_probability": 0.5}
    plain = make_view(images, ViewPolicy(**policy), torch.Generator().manual_seed(0))
    none = ViewPolicy(**policy, randaugment_ops=("invert",), randaugment_probability=0)
    assert torch.equal(make_view(images, none, torch.Generator().manual_seed(0)), plain)


def test_errors():
    draws = RandAugmentDraws(every(0, 2), every(10.0, 2), every(True, 2))
    with pytest.raises(ValueError, match="ops must be a list of .*; got 'cutout'"):
        randaugment(pictures(2, 3, 8, 8), ("rotate", "cutout"), draws)
    with pytest.raises(ValueError, match="got 'rotate'"):
        ViewPolicy(8, randaugment_ops="rotate")
    with pytest.raises(ValueError, match="3 images need draws of 3 samples, got 2"):
        randaugment(pictures(3, 3, 8, 8), ("rotate",), draws)
    with pytest.raises(ValueError, match="randaugment_magnitude_std must be at least 0"):
        ViewPolicy(8, randaugment_magnitude_std=math.nan)


def test_strengths_without_a_deviation_are_uniform():
    draws = draw_randaugment(4000, ("rotate",), 2, 1.0, 8.0, None, torch.Generator().manual_seed(0))
    strength = draws.level.abs().flatten()
    assert strength.max() <= 8 and torch.histc(strength, 8, 0, 8).sub(1000).abs().max() < 150
    normal = draw_randaugment(4000, ("rotate",), 2, 1.0, 8.0, 0.5, torch.Generator().manual_seed(0))
    assert torch.equal(normal.op, draws.op)  # whatever it is, it takes the same draws
