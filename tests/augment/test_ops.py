"""Every operation against a naive formula on one image."""

import colorsys
import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps

from hf_ssl.augment import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    color_jitter,
    cutout,
    gaussian_blur,
    gaussian_noise,
    horizontal_flip,
    rotate90,
    shift,
    sobel,
    solarize,
    to_grayscale,
)


def pictures(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def close(a, b, atol=1e-5):
    torch.testing.assert_close(a, b, atol=atol, rtol=0)


def naive_grey(image):
    return 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2] if len(image) == 3 else image[0]


def naive_brightness(image, factor):
    return (image * factor).clamp(0, 1)


def naive_contrast(image, factor):
    return (factor * image + (1 - factor) * naive_grey(image).mean()).clamp(0, 1)


def naive_saturation(image, factor):
    return (factor * image + (1 - factor) * naive_grey(image)).clamp(0, 1)


def naive_hue(image, shift):
    if len(image) == 1:
        return image
    out = image.clone()
    for y, x in itertools.product(*map(range, image.shape[1:])):
        h, s, v = colorsys.rgb_to_hsv(*image[:, y, x].tolist())
        out[:, y, x] = torch.tensor(colorsys.hsv_to_rgb((h + shift) % 1, s, v))
    return out


FACTORS = torch.tensor([0.0, 0.3, 1.0, 1.7, 3.0])
SHIFTS = torch.tensor([-0.5, -0.2, 0.0, 0.1, 0.5])
ADJUSTMENTS = {
    "brightness": (adjust_brightness, naive_brightness, FACTORS),
    "contrast": (adjust_contrast, naive_contrast, FACTORS),
    "saturation": (adjust_saturation, naive_saturation, FACTORS),
    "hue": (adjust_hue, naive_hue, SHIFTS),
}
NAIVE = [naive for _, naive, _ in ADJUSTMENTS.values()]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ADJUSTMENTS)
def test_adjustments(name, channels):
    adjust, naive, factors = ADJUSTMENTS[name]
    images = pictures(5, channels, 6, 9)
    out = adjust(images, factors)
    for image, factor, result in zip(images.float() / 255, factors.tolist(), out, strict=True):
        close(result, image if name == "saturation" and channels == 1 else naive(image, factor))


def test_hue_of_pure_and_grey_pixels():
    colours = torch.tensor(list(itertools.product([0.0, 0.5, 1.0], repeat=3))).t().reshape(1, 3, 3, 9)
    for turn in (-0.5, -1 / 3, -1 / 6, 0.0, 1 / 12, 1 / 6, 0.25, 1 / 3, 0.5):
        out = adjust_hue(colours, torch.tensor([turn]))
        assert out.min() >= 0 and out.max() <= 1
        close(out[0], naive_hue(colours[0], turn))


def test_color_jitter_follows_each_order():
    orders = torch.tensor(list(itertools.permutations(range(4))))
    n = len(orders)
    images = pictures(n, 3, 4, 5)
    generator = torch.Generator().manual_seed(1)
    factors = [torch.rand(n, generator=generator) * 1.6 + 0.2 for _ in range(3)]
    factors.append(torch.rand(n, generator=generator) * 0.4 - 0.2)
    out = color_jitter(images, *factors, orders)
    for i, order in enumerate(orders.tolist()):
        expected = images[i].float() / 255
        for step in order:
            expected = NAIVE[step](expected, factors[step][i].item())
        close(out[i], expected)


def test_color_jitter_leaves_out_what_is_none():
    images, order = pictures(3, 3, 5, 5), torch.arange(4).expand(3, 4)
    factor = torch.tensor([0.5, 1.0, 1.5])
    assert torch.equal(color_jitter(images, None, factor, None, None, order), adjust_contrast(images, factor))


def test_grey():
    images = pictures(2, 3, 5, 6)
    close(to_grayscale(images)[1], naive_grey(images[1].float() / 255).expand(3, -1, -1))
    pillow = np.asarray(Image.fromarray(images[0].permute(1, 2, 0).numpy()).convert("L"))
    close(to_grayscale(images)[0, 0], torch.tensor(pillow) / 255, atol=0.51 / 255)
    assert torch.equal(to_grayscale(images[:, :1]), images[:, :1].float() / 255)


def test_solarize_equals_pillow():
    image = pictures(1, 3, 8, 8)
    pillow = np.asarray(ImageOps.solarize(Image.fromarray(image[0].permute(1, 2, 0).numpy()), 128))
    close(solarize(image, 128 / 255)[0], torch.tensor(pillow).permute(2, 0, 1) / 255)
    close(solarize(image, 2.0), image.float() / 255)


# 160 pixels go through one by one, small ones as a batch
@pytest.mark.parametrize(("shape", "kernel_size"), [((5, 9), 3), ((9, 9), 9), ((40, 40), 23), ((160, 120), 7)])
def test_blur(shape, kernel_size):
    sigma = torch.tensor([0.1, 0.0, 0.7, 2.0, -1.0, 5.0])
    images = pictures(6, 3, *shape)
    out = gaussian_blur(images, sigma, kernel_size)
    radius = kernel_size // 2
    for image, s, result in zip(images.numpy() / 255, sigma.tolist(), out, strict=True):
        expected = image
        if s > 0:
            kernel = np.exp([-0.5 * (k / s) ** 2 for k in range(-radius, radius + 1)])
            kernel /= kernel.sum()
            padded = np.pad(image, ((0, 0), (radius, radius), (radius, radius)), mode="reflect")
            padded = sum(kernel[k] * padded[:, k : k + shape[0]] for k in range(kernel_size))
            expected = sum(kernel[k] * padded[:, :, k : k + shape[1]] for k in range(kernel_size))
        close(result, torch.tensor(expected, dtype=torch.float32))


def test_rotate():
    images = pictures(5, 3, 7, 7)
    out = rotate90(images, torch.tensor([0, 1, 2, 3, 1]))
    for i, degrees in enumerate((0, 90, 180, 270, 90)):  # Pillow turns counter-clockwise too
        pillow = np.asarray(Image.fromarray(images[i].permute(1, 2, 0).numpy()).rotate(degrees, expand=True))
        close(out[i], torch.tensor(pillow).permute(2, 0, 1) / 255)


def test_rotate_half_a_turn_of_a_rectangle():
    images = pictures(2, 1, 3, 5)
    assert torch.equal(rotate90(images, torch.tensor([2, 0]))[0], images[0].flip(1, 2).float() / 255)
    with pytest.raises(ValueError, match="square"):
        rotate90(images, torch.tensor([1, 0]))


def test_cutout():
    images = pictures(3, 3, 8, 8)
    out = cutout(images, torch.tensor([[1, 2, 3, 4], [0, 0, 0, 0], [-2, 6, 4, 9]]), fill=0.25)
    expected = images.float() / 255
    expected[0, :, 1:4, 2:6] = 0.25
    expected[2, :, 0:2, 6:] = 0.25
    assert torch.equal(out, expected)


def test_shift_mirrors_what_comes_in():
    images, offsets = pictures(4, 3, 9, 7), torch.tensor([[2, -3], [0, 0], [-4, 1], [8, 6]])
    out = shift(images, offsets)
    padded = F.pad(images / 255, (6, 6, 8, 8), mode="reflect")
    for moved, image, (down, right) in zip(out, padded, offsets.tolist(), strict=True):
        assert torch.equal(moved, image[:, 8 - down : 17 - down, 6 - right : 13 - right])
    with pytest.raises(ValueError, match="offsets of shape"):
        shift(images, offsets[:2])


def test_noise():
    images = torch.full((3, 3, 64, 64), 0.5)
    std = torch.tensor([0.0, 0.05, 0.1])
    out = gaussian_noise(images, std, torch.Generator().manual_seed(0))
    assert torch.equal(out[0], images[0])
    for result, s in zip(out[1:], std[1:], strict=True):
        assert abs(result.std() / s - 1) < 0.03 and abs(result.mean() - 0.5) < 0.003
    assert torch.equal(out, gaussian_noise(images, std, torch.Generator().manual_seed(0)))
    loud = gaussian_noise(images, 2.0, torch.Generator().manual_seed(0))
    assert loud.min() == 0 and loud.max() == 1


def test_sobel():
    images = pictures(2, 3, 5, 6)
    out = sobel(images)
    kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    padded = np.pad(images.numpy() / 255, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    for i, c, y, x in itertools.product(range(2), range(3), range(5), range(6)):
        patch = padded[i, c, y : y + 3, x : x + 3]
        expected = math.hypot((patch * kernel).sum(), (patch * kernel.T).sum()) / math.sqrt(20)
        assert abs(out[i, c, y, x].item() - expected) < 1e-5
    strongest = max(
        math.hypot((np.array(p).reshape(3, 3) * kernel).sum(), (np.array(p).reshape(3, 3) * kernel.T).sum())
        for p in itertools.product([0, 1], repeat=9)
    )
    assert strongest == pytest.approx(math.sqrt(20))


def test_flip():
    images = pictures(3, 3, 4, 5)
    out = horizontal_flip(images, torch.tensor([True, False, True]))
    assert torch.equal(out, torch.stack([images[0].flip(-1), images[1], images[2].flip(-1)]).float() / 255)


PARAMETERS = {
    "brightness": lambda x: adjust_brightness(x, torch.tensor([0.5, 1.2, 1.5])),
    "contrast": lambda x: adjust_contrast(x, torch.tensor([0.5, 1.2, 1.5])),
    "saturation": lambda x: adjust_saturation(x, torch.tensor([0.5, 1.2, 1.5])),
    "hue": lambda x: adjust_hue(x, torch.tensor([0.5, 0.1, -0.1])),
    "grey": to_grayscale,
    "blur": lambda x: gaussian_blur(x, torch.tensor([0.5, 1.0, 0.0]), 5),
    "solarize": solarize,
    "rotate": lambda x: rotate90(x, torch.tensor([1, 3, 0])),
    "cutout": lambda x: cutout(x, torch.tensor([[1, 1, 3, 3]] * 3)),
    "noise": lambda x: gaussian_noise(x, 0.1, torch.Generator().manual_seed(0)),
    "sobel": sobel,
    "flip": lambda x: horizontal_flip(x, torch.tensor([True, True, False])),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_operation(name):
    """uint8 equals float, inputs stay untouched, results stay in range, and a sample ignores the others."""
    operation = PARAMETERS[name]
    images = pictures(3, 3, 12, 12)
    floats = images.float() / 255
    kept, kept_floats = images.clone(), floats.clone()
    out = operation(images)
    assert out.dtype == torch.float32 and out.shape == images.shape and 0 <= out.min() and out.max() <= 1
    close(operation(floats), out, atol=1e-6)
    assert torch.equal(images, kept) and torch.equal(floats, kept_floats)
    images[[0, 2]] = pictures(2, 3, 12, 12, seed=5)
    assert torch.equal(operation(images)[1], out[1])
    assert operation(images[:, :1]).shape == (3, 1, 12, 12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: adjust_brightness(x, torch.ones(3)), "factors"),
        (lambda x: adjust_contrast(x, torch.tensor([1.0, -0.1])), "at least 0"),
        (lambda x: gaussian_blur(x, torch.ones(2), 4), "odd"),
        (lambda x: gaussian_blur(x, torch.ones(2), 17), "kernel_size"),
        (lambda x: gaussian_blur(x, torch.ones(3), 3), "sigma"),
        (lambda x: rotate90(x, torch.tensor([0, 4])), "turns"),
        (lambda x: cutout(x, torch.zeros(2, 3)), "boxes"),
        (lambda x: horizontal_flip(x, torch.ones(1, dtype=torch.bool)), "mask"),
        (lambda x: to_grayscale(x[0]), "channels"),
        (lambda x: solarize(x.int()), "uint8"),
        (lambda x: color_jitter(x, None, None, None, None, torch.zeros(2, 4, dtype=torch.long)), "permutation"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(pictures(2, 3, 8, 8))
