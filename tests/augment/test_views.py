"""The pipeline: order of the steps, independence of the samples, determinism, and the operators of figure 4."""

import dataclasses
import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F

from hf_ssl.augment import OPERATORS, RANDAUGMENT_OPS, ViewPolicy, augment, make_view, sobel, to_grayscale
from hf_ssl.augment import views as views_module

EVERYTHING = ViewPolicy(
    size=16,
    brightness=0.8,
    contrast=0.8,
    saturation=0.8,
    hue=0.2,
    blur_probability=0.5,
    randaugment_ops=RANDAUGMENT_OPS,
    solarize_probability=0.3,
    rotate_probability=0.3,
    cutout_probability=0.3,
    noise_probability=0.3,
    sobel_probability=0.2,
)
NOTHING = {"crop_scale": None, "flip_probability": 0, "jitter_probability": 0, "grayscale_probability": 0}


def pictures(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("channels", "size"), [(1, 16), (3, 16), (3, 210)])  # 210: each view alone through the steps
def test_shape_range_and_determinism(channels, size, interpolation):
    policy = dataclasses.replace(EVERYTHING, size=size, interpolation=interpolation)
    images = pictures(5, channels, 40, 50)
    out = make_view(images, policy, seeded())
    assert out.shape == (5, channels, size, size) and out.dtype == torch.float32
    assert out.min() >= 0 and out.max() <= 1 and out.isfinite().all()
    assert torch.equal(out, make_view(images, policy, seeded()))
    assert not torch.equal(out, make_view(images, policy, seeded(1)))
    torch.testing.assert_close(make_view(images.float() / 255, policy, seeded()), out, atol=2e-5, rtol=0)


@pytest.mark.parametrize("size", [16, 210])
def test_a_sample_does_not_depend_on_the_others(size):
    policy = dataclasses.replace(EVERYTHING, size=size, sobel_probability=0)
    images = [pictures(3, 40 + i, 50 - i, seed=i) for i in range(6)]
    before = make_view(images, policy, seeded())
    others = [image if i == 2 else pictures(3, 90 - 3 * i, 20 + i, seed=9 + i) for i, image in enumerate(images)]
    assert torch.equal(make_view(others, policy, seeded())[2], before[2])


def test_global_generator_is_used_and_left_alone():
    images = pictures(4, 3, 20, 20)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    make_view(images, EVERYTHING, seeded())
    assert torch.equal(torch.get_rng_state(), state)
    first = make_view(images, EVERYTHING)
    torch.manual_seed(0)
    assert torch.equal(make_view(images, EVERYTHING), first)


def test_samples_draw_independently():
    images = pictures(1, 3, 32, 32).expand(64, -1, -1, -1)
    out = make_view(images, EVERYTHING, seeded()).flatten(1)
    assert torch.cdist(out, out).add(torch.eye(64) * 9).min() > 1e-3


def test_blocks_do_not_change_the_result(monkeypatch):
    images = pictures(9, 3, 20, 20)
    policy = dataclasses.replace(EVERYTHING, noise_probability=0)  # noise is drawn block by block
    whole = make_view(images, policy, seeded())
    monkeypatch.setattr(views_module, "_TOGETHER", 4 * 3 * 16 * 16)
    torch.testing.assert_close(make_view(images, policy, seeded()), whole, atol=2e-6, rtol=0)


def test_probabilities_of_flip_and_grey():
    ramp = torch.linspace(0, 1, 8).expand(1, 3, 8, 8) * torch.tensor([1.0, 0.5, 0.2])[:, None, None]
    policy = ViewPolicy(8, **(NOTHING | {"flip_probability": 0.3, "grayscale_probability": 0.2}))
    out = make_view(ramp.expand(4000, -1, -1, -1), policy, seeded())
    flipped = (out[:, 0, 0, 0] > out[:, 0, 0, -1]).float().mean()
    grey = (out[:, 0] == out[:, 2]).flatten(1).all(1).float().mean()
    assert abs(flipped - 0.3) < 0.03 and abs(grey - 0.2) < 0.03


def test_strengths_of_the_jitter():
    images = torch.full((4000, 1, 2, 2), 0.25)
    out = make_view(images, ViewPolicy(2, **(NOTHING | {"brightness": 0.4, "jitter_probability": 1})), seeded())
    factor = out[:, 0, 0, 0] / 0.25
    assert 0.6 <= factor.min() < 0.61 and 1.39 < factor.max() <= 1.4001 and abs(factor.mean() - 1) < 0.02
    out = make_view(images, ViewPolicy(2, **(NOTHING | {"brightness": 1.5, "jitter_probability": 0.5})), seeded())
    factor = out[:, 0, 0, 0] / 0.25
    assert 0 <= factor.min() < 0.01 and 2.49 < factor.max() <= 2.5001
    assert abs((factor - 1).abs().lt(1e-5).float().mean() - 0.5) < 0.03


def test_all_orders_of_the_jitter_occur():
    draws = views_module._Draws(5000, EVERYTHING, seeded())
    counts = Counter(map(tuple, draws.order.tolist()))
    assert len(counts) == 24 and min(counts.values()) > 150


def test_nothing_is_the_centred_square():
    images = pictures(2, 3, 20, 30)
    out = make_view(images, ViewPolicy(8, **NOTHING), seeded())
    expected = F.interpolate(images[..., 5:25].float() / 255, 8, mode="bilinear", antialias=True)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=0)


def test_grey_images_are_left_alone_by_colour():
    images = pictures(4, 1, 16, 16)
    policy = ViewPolicy(16, **(NOTHING | {"saturation": 1, "hue": 0.5, "jitter_probability": 1}))
    policy = dataclasses.replace(policy, grayscale_probability=1)
    torch.testing.assert_close(make_view(images, policy, seeded()), images.float() / 255, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("size", "taps"), [(224, 23), (96, 9), (32, 3), (16, 3)])
def test_default_blur_kernel(size, taps):
    assert ViewPolicy(size).blur_taps == taps


BAD = {
    "size": 0,
    "crop_scale": (0.0, 1.0),
    "crop_ratio": (2.0, 1.0),
    "interpolation": "nearest",
    "flip_probability": 1.5,
    "shift": 0.6,
    "brightness": -0.1,
    "contrast": math.nan,
    "saturation": -1,
    "hue": 0.6,
    "jitter_probability": -0.1,
    "grayscale_probability": 2,
    "blur_probability": math.nan,
    "blur_sigma": (0.0, 2.0),
    "blur_kernel_size": 4,
    "randaugment_ops": ("rotate", "cutout"),
    "randaugment_layers": -1,
    "randaugment_probability": 1.1,
    "randaugment_magnitude": 11,
    "randaugment_magnitude_std": math.nan,
    "solarize_probability": 7,
    "solarize_threshold": -1,
    "rotate_probability": 1.1,
    "cutout_probability": 1.1,
    "cutout_scale": (0.5, 1.5),
    "noise_probability": 1.1,
    "noise_std": -1,
    "sobel_probability": 1.1,
}


def test_every_field_is_checked():
    assert set(BAD) == {f.name for f in dataclasses.fields(ViewPolicy)}


@pytest.mark.parametrize("name", BAD)
def test_bad_fields_are_named(name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        ViewPolicy(**({"size": 16} | {name: BAD[name]}))


def test_operators():
    assert len(OPERATORS) == 11
    images = pictures(6, 3, 24, 24)
    plain = images.float() / 255
    results = {name: function(images, 24, seeded()) for name, function in OPERATORS.items()}
    for name, out in results.items():
        assert out.shape == images.shape and 0 <= out.min() and out.max() <= 1
        if name not in ("identity", "gaussian_blur"):  # each sample is changed, whatever was drawn
            assert ((out - plain).abs().flatten(1).amax(1) > 1e-3).all(), name
    # a small sigma does nothing visible
    assert ((results["gaussian_blur"] - plain).abs().flatten(1).amax(1) > 1e-3).sum() > 3
    close = {"identity": plain, "color_drop": to_grayscale(images), "sobel": sobel(images)}
    close["solarize"] = torch.where(plain >= 0.5, 1 - plain, plain)
    for name, expected in close.items():
        torch.testing.assert_close(results[name], expected, atol=1e-5, rtol=0)
    for rotated, image in zip(results["rotate"], plain, strict=True):
        assert any((rotated - image.rot90(k, (1, 2))).abs().max() < 1e-5 for k in (1, 2, 3))
    changed = ((results["cutout"] - plain).abs() > 1e-5).all(1).flatten(1).float().mean(1)
    assert changed.max() <= 0.25 and changed.min() > 0.05  # up to a quarter: the square can reach over the border


def test_augment_composes():
    images = [pictures(3, 30 + i, 40, seed=i) for i in range(3)]
    generator = seeded()
    expected = OPERATORS["sobel"](OPERATORS["crop_resize"](images, 12, generator), 12, generator)
    assert torch.equal(augment(images, ["crop_resize", "sobel"], 12, seeded()), expected)


@pytest.mark.parametrize(
    ("names", "message"),
    [(["color_jiter"], "'color_jitter'"), (["xyz"], "identity"), ([], "at least one"), ("sobel", "list")],
)
def test_augment_errors(names, message):
    with pytest.raises(ValueError, match=message):
        augment(pictures(2, 3, 8, 8), names, 8)
