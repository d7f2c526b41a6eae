"""Pictures exist, have a sensible size, and show something."""

import builtins
import math

import numpy as np
import pytest
import torch
from PIL import Image

from hf_ssl.hub import figures
from hf_ssl.hub.figures import drawing, neighbours

GREY, COLOUR = (1, 32), (3, 64)  # channels, side
kinds = pytest.mark.parametrize(("channels", "side"), [GREY, COLOUR])


def images(count: int, channels: int, side: int) -> torch.Tensor:
    """Smooth random uint8 pictures, (count, channels, side, side)."""
    noise = torch.rand(count, channels, 4, 4, generator=torch.Generator().manual_seed(0))
    return (resize(noise, side) * 255).to(torch.uint8)


def resize(x: torch.Tensor, side: int) -> torch.Tensor:
    return torch.nn.functional.interpolate(x, (side, side), mode="bilinear")


def statistics(channels: int) -> tuple[list[float], list[float]]:
    return [0.45] * channels, [0.25] * channels


def normalised(pictures: torch.Tensor) -> torch.Tensor:
    return (pictures.float() / 255 - 0.45) / 0.25


def pixels_of(path) -> np.ndarray:
    """Checks that the file is a picture with content, and gives its pixels (height, width, 3)."""
    assert path.read_bytes().startswith(b"\x89PNG")
    picture = np.asarray(Image.open(path).convert("RGB"))
    assert min(picture.shape[:2]) >= 300 and max(picture.shape[:2]) <= 2400, picture.shape
    assert picture.std() > 10, "blank"
    return picture


def has_colour(picture: np.ndarray, colour: str) -> bool:
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return bool((np.abs(picture.astype(int) - wanted).max(-1) <= 2).any())


LOG = [
    *({"loss": 4 * math.exp(-e / 5), "epoch": e, "step": 10 * e} for e in range(1, 11)),
    *({"eval_loss": 4.2 * math.exp(-e / 5), "epoch": e} for e in (5, 10)),
    *({"eval_knn": 30.0 + 3 * e, "epoch": e} for e in (5, 10)),
    {"train_runtime": 3.0, "train_loss": 1.0, "epoch": 10},
]


def test_curve(tmp_path):
    path = figures.save_curve(tmp_path / "new" / "curve.png", LOG, {"raw pixels": 20.1, "random init": 31.2})
    picture = pixels_of(path)
    assert has_colour(picture, drawing.BLUE) and has_colour(picture, drawing.ORANGE)
    alone = pixels_of(figures.save_curve(tmp_path / "loss.png", [e for e in LOG if "loss" in e]))
    assert alone.shape[1] < 0.6 * picture.shape[1]  # one panel


def test_curve_leaves_out_what_is_not_finite(tmp_path):
    log = [*LOG, {"loss": math.nan, "epoch": 11}, {"loss": math.inf, "epoch": 12}]
    assert np.array_equal(
        pixels_of(figures.save_curve(tmp_path / "a.png", LOG)), pixels_of(figures.save_curve(tmp_path / "b.png", log))
    )
    with pytest.raises(ValueError, match="no finite loss"):
        figures.save_curve(tmp_path / "c.png", [{"loss": math.nan, "epoch": 1}])


@kinds
def test_neighbours(tmp_path, channels, side):
    labels = torch.arange(12) % 3
    clean = torch.nn.functional.one_hot(labels, 3).float() + 0.01 * torch.rand(12, 3)
    path = tmp_path / "neighbours.png"
    pictures = images(12, channels, side)
    args = {"labels": labels, "label_names": ["cat", "dog", "a very long name of a class"], "queries": 3}
    good = pixels_of(figures.save_neighbours(path, clean, list(pictures), **args, neighbours=3))
    assert has_colour(good, drawing.GREEN) and not has_colour(good, drawing.RED)
    bad = pixels_of(figures.save_neighbours(path, clean, pictures, **args, neighbours=11))  # all others
    assert has_colour(bad, drawing.GREEN) and has_colour(bad, drawing.RED)
    plain = pixels_of(figures.save_neighbours(path, clean, pictures, queries=20, neighbours=2))
    assert not has_colour(plain, drawing.GREEN) and not has_colour(plain, drawing.RED)


def test_neighbours_of_unknown_class_have_no_frame(tmp_path):
    unknown = torch.full((6,), -1)
    picture = pixels_of(
        figures.save_neighbours(tmp_path / "n.png", torch.rand(6, 4), images(6, *GREY), unknown, ["cat"])
    )
    assert not has_colour(picture, drawing.GREEN) and not has_colour(picture, drawing.RED)


def test_neighbours_reject_what_has_none(tmp_path):
    with pytest.raises(ValueError, match="NaN"):
        figures.save_neighbours(tmp_path / "n.png", torch.full((6, 4), math.nan), images(6, *GREY))
    with pytest.raises(ValueError, match="two images"):
        figures.save_neighbours(tmp_path / "n.png", torch.rand(1, 4), images(1, *GREY))


def test_queries_are_spread_over_the_classes():
    classes = [0] * 50 + [1] * 3 + [2] * 3
    chosen = neighbours._spread(56, classes, 6, seed=0)
    assert sorted(classes[i] for i in chosen) == [0, 0, 1, 1, 2, 2] and len(set(chosen)) == 6
    assert chosen == neighbours._spread(56, classes, 6, seed=0) != neighbours._spread(56, classes, 6, seed=1)


@kinds
def test_attention(tmp_path, channels, side):
    maps = torch.rand(2, 3, 18, 18, generator=torch.Generator().manual_seed(0))  # CLS, a register, 16 patches
    path = figures.save_attention(tmp_path / "attention.png", maps, images(2, channels, side), (4, 4))
    picture = pixels_of(path).astype(int)
    assert np.ptp(picture, axis=-1).max() > 100  # the map is in colour even over a grey image
    figures.save_attention(path, torch.full((2, 3, 17, 17), 1 / 17), images(2, channels, side), (4, 4))
    pixels_of(path)  # an even attention divides by no zero
    with pytest.raises(ValueError, match="16 tokens"):
        figures.save_attention(path, maps[..., :16], images(2, channels, side), (4, 4))


@kinds
def test_patch_features(tmp_path, channels, side):
    """Two kinds of patches: two colours."""
    kind = torch.arange(16) % 2
    generator = torch.Generator().manual_seed(0)
    tokens = torch.nn.functional.one_hot(kind, 5).float().expand(9, -1, -1) * torch.tensor([9.0, -9, 0, 0, 0])
    tokens = torch.cat([torch.zeros(9, 1, 5), tokens], dim=1) + 0.1 * torch.rand(9, 17, 5, generator=generator)
    path = figures.save_patch_features(tmp_path / "features.png", tokens, images(9, channels, side), (4, 4))
    assert np.ptp(pixels_of(path).astype(int), axis=-1).max() > 100
    with pytest.raises(ValueError, match="no features of 5x4 patches"):
        figures.save_patch_features(path, tokens, images(9, channels, side), (5, 4))


@kinds
def test_reconstructions(tmp_path, channels, side):
    pictures = images(9, channels, side)
    mask = torch.arange(16).expand(9, -1) % 4 != 0
    args = (4 * side // 16, *statistics(channels))
    path = tmp_path / "reconstructions.png"
    perfect = pixels_of(figures.save_reconstructions(path, normalised(pictures), mask, normalised(pictures), *args))
    poor = pixels_of(figures.save_reconstructions(path, normalised(pictures), mask, normalised(255 - pictures), *args))
    assert perfect.shape == poor.shape
    same_row = np.abs(perfect.astype(int) - poor).max(axis=(1, 2)) == 0
    assert same_row[: len(same_row) // 2].all() and not same_row.all()  # only the last row of the grid differs
    with pytest.raises(ValueError, match="mask"):
        figures.save_reconstructions(path, normalised(pictures), mask[:, :9], normalised(pictures), *args)


@kinds
def test_views(tmp_path, channels, side):
    pictures = images(3, channels, side)
    views = {
        "pixel_values": normalised(pictures)[:, None].expand(-1, 2, -1, -1, -1),
        "local_pixel_values": resize(normalised(pictures), side // 2)[:, None].expand(-1, 4, -1, -1, -1),
    }
    wide = pixels_of(figures.save_views(tmp_path / "v.png", pictures, views, *statistics(channels)))
    single = {"pixel_values": normalised(pictures)}
    narrow = pixels_of(figures.save_views(tmp_path / "v.png", list(pictures), single, *statistics(channels)))
    assert wide.shape[0] == narrow.shape[0] and wide.shape[1] > narrow.shape[1]


def test_global_state_of_matplotlib_is_left_alone(tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    figures.save_curve(tmp_path / "curve.png", LOG)
    assert dict(matplotlib.rcParams) == before


def test_without_matplotlib_the_message_says_what_to_install(tmp_path, monkeypatch):
    real = builtins.__import__

    def no_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_matplotlib)
    with pytest.raises(ImportError, match=r'pip install "hf_ssl\[demo\]"'):
        figures.save_curve(tmp_path / "curve.png", LOG)
