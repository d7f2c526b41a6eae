"""The fused kernels give the views of the CPU."""

import dataclasses

import pytest
import torch

from hf_ssl.augment import ViewPolicy
from hf_ssl.augment import views as views_module
from hf_ssl.augment.finish import Finish
from hf_ssl.augment.views import make_view
from hf_ssl.utils.packed_images import PackedImages

from . import DEVICE

INTERPRETED = DEVICE.type == "cpu"

JITTER = {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2, "jitter_probability": 1.0}
SIMCLR = {**JITTER, "jitter_probability": 0.8, "blur_probability": 0.5, "interpolation": "bicubic"}
PLAIN = {"jitter_probability": 0, "grayscale_probability": 0, "flip_probability": 0}
POLICIES = {
    "crop": PLAIN,
    "bicubic": PLAIN | {"interpolation": "bicubic"},
    "centre": PLAIN | {"crop_scale": None},
    "flip": PLAIN | {"flip_probability": 0.5},
    "jitter": JITTER,
    "contrast alone": {"contrast": 0.8},
    "without contrast": JITTER | {"contrast": 0.0},
    "without hue": JITTER | {"hue": 0.0},
    "blur": PLAIN | {"blur_probability": 0.7, "blur_kernel_size": 9},
    "grey": PLAIN | {"grayscale_probability": 0.5},
    "solarize": PLAIN | {"solarize_probability": 0.5},
    "rotate": PLAIN | {"rotate_probability": 0.8},
    "simclr": SIMCLR,
    "everything": SIMCLR | {"solarize_probability": 0.3, "rotate_probability": 0.5},
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 8, channels: int = 3, side: int = 30) -> list[torch.Tensor]:
    """Smooth float images, each of its own size: rounding does not jump over a threshold of solarisation."""
    sizes = [(side + 7 * i % 11, side + 5 * i % 13) for i in range(count)]
    coarse = torch.rand(count, 1, channels, 4, 4, generator=seeded(1))
    return [
        torch.nn.functional.interpolate(image, size, mode="bilinear")[0]
        for image, size in zip(coarse, sizes, strict=True)
    ]


def fused(images, policy: ViewPolicy, finish=None, seed: int = 0) -> torch.Tensor:
    """As `make_view` of images on a CUDA device."""
    packed = PackedImages.pack(images).to(DEVICE)
    if not INTERPRETED:
        return make_view(packed, policy, seeded(seed), finish).cpu()
    heights, widths = views_module.image_sizes(packed)
    generator = seeded(seed)
    boxes = views_module._boxes(heights, widths, policy, generator)
    draws = views_module._Draws(len(heights), policy, generator)
    return views_module._fused(packed, boxes, draws, policy, finish)


def off(out: torch.Tensor, expected: torch.Tensor, tolerance: float) -> float:
    return ((out - expected).abs() > tolerance).float().mean().item()


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [12, 33])
def test_equal_to_the_cpu(name, channels, size):
    policy = ViewPolicy(size, **POLICIES[name])
    images = pictures(channels=channels)
    out, expected = fused(images, policy), make_view(images, policy, seeded())
    # Where a value is at the threshold of solarisation, rounding decides.
    assert off(out, expected, 1e-4) <= (0.001 if policy.solarize_probability else 0)


@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize("stacked", [True, False])
def test_images_of_whole_numbers_however_they_are_stored(stacked, interleaved):
    policy = ViewPolicy(20, **SIMCLR)
    sizes = [(40, 52)] * 4 if stacked else [(40, 52), (41, 50), (16, 90), (90, 12)]
    images = [
        torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=seeded(i)) for i, size in enumerate(sizes)
    ]
    if interleaved:
        images = [image.permute(1, 2, 0).contiguous().permute(2, 0, 1) for image in images]
    if stacked:
        images = torch.stack(images)
    torch.testing.assert_close(fused(images, policy), make_view(images, policy, seeded()), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("finish", "channels"),
    [
        (Finish((0.4, 0.5, 0.6), (0.2, 0.3, 0.4)), 3),
        (Finish((0.4, 0.5, 0.6), (0.2, 0.3, 0.4)), 1),
        (Finish((0.5,), (0.2,)), 3),
        (Finish(rgb=True), 1),
        (lambda view: view.mul_(2), 3),
    ],
)
def test_the_last_step(finish, channels):
    policy = ViewPolicy(12, **SIMCLR)
    images = pictures(4, channels)
    expected = make_view(images, policy, seeded(), finish)
    torch.testing.assert_close(fused(images, policy, finish), expected, atol=5e-4, rtol=0)


def test_views_wider_than_a_program():
    policy = ViewPolicy(260, **SIMCLR | {"blur_kernel_size": 3})
    images = pictures(2, side=20)
    torch.testing.assert_close(fused(images, policy), make_view(images, policy, seeded()), atol=2e-4, rtol=0)


def test_large_images_to_small_views():
    policy = ViewPolicy(4, crop_scale=(0.9, 1.0), interpolation="bicubic")
    images = pictures(2, side=90)
    torch.testing.assert_close(fused(images, policy), make_view(images, policy, seeded()), atol=1e-4, rtol=0)


def test_what_has_no_kernel_is_left_to_the_plain_path():
    policy = ViewPolicy(8, **SIMCLR)
    assert policy.fusible
    rare = {
        "cutout_probability": 0.1,
        "noise_probability": 0.1,
        "sobel_probability": 0.1,
        "randaugment_ops": ("color",),
    }
    assert not any(dataclasses.replace(policy, **{name: value}).fusible for name, value in rare.items())
