"""The pictures of a run are drawn of whatever images there are; none of them fails a run that is finished."""

import logging

import pytest
import torch
from PIL import Image
from transformers import ViTConfig

from hf_ssl.data import Data, ImageFolder, as_image_dataset
from hf_ssl.hub.figures import save_neighbours
from hf_ssl.hub.figures.of_run import draw
from hf_ssl.registry import METHODS

from ...conftest import BACKBONES, build_model, build_processor, tiny_config

LOG = [{"loss": 2.0, "epoch": 1.0}, {"loss": 1.0, "epoch": 2.0}]
ALWAYS = {"curve.png", "views.png"}


def images(count, channels=3):
    """Of all shapes; the first one is very wide and large."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(channels, 170 if i == 0 else 20 + 3 * i % 20, 300 if i == 0 else 33) for i in range(count)]
    return [torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8) for shape in shapes]


def drawn(folder, items, labels=None, method="simclr", backbone="vit", log=LOG, model=None, processor=None):
    channels = len(items[0])
    dataset = as_image_dataset(items, labels=labels, label_names=["a", "b"], channels=channels)
    model = model or build_model(method, backbone)
    data = Data("own", dataset, None, ["a", "b"], "", "")
    paths = draw(folder, model, processor or build_processor(method), data, log, None)
    assert all(path.is_file() for path in paths)
    return {path.name for path in paths}


@pytest.mark.parametrize(
    ("count", "labels"), [(1, None), (1, [0]), (2, [-1, 1]), (7, None), (7, [-1, 1, -1, 0, 1, -1, 0]), (7, [-1] * 7)]
)
def test_few_images_of_all_shapes(count, labels, tmp_path, caplog):
    found = drawn(tmp_path, images(count), labels)
    assert found == ALWAYS | {"attention.png", "features.png"} | ({"neighbours.png"} if count > 1 else set())
    assert not caplog.records


@pytest.mark.parametrize(
    ("method", "backbone", "more"),
    [
        ("mae", "vit", {"reconstructions.png", "features.png"}),
        ("simclr", "resnet", set()),
        ("dino", "swin", set()),
    ],
)
def test_any_encoder(method, backbone, more, tmp_path, caplog):
    assert drawn(tmp_path, images(3), method=method, backbone=backbone) == ALWAYS | {"neighbours.png"} | more
    assert not caplog.records


def test_gray_encoders(tmp_path, caplog):
    fields = {k: v for k, v in BACKBONES["vit"]().to_dict().items() if k not in ("model_type", "num_channels")}
    config = METHODS["simclr"].config_class(
        **tiny_config("simclr"), backbone_config=ViTConfig(**fields, num_channels=1)
    )
    gray = {"do_convert_rgb": False, "image_mean": [0.4], "image_std": [0.2]}
    found = drawn(
        tmp_path,
        images(3, channels=1),
        model=METHODS["simclr"].pretraining_class(config),
        processor=build_processor("simclr", **gray),
    )
    assert found == ALWAYS | {"attention.png", "features.png", "neighbours.png"} and not caplog.records


def test_an_encoder_at_another_size_than_its_own(tmp_path, caplog):
    size = {"size": {"shortest_edge": 48}, "crop_size": {"height": 48, "width": 40}}
    found = drawn(tmp_path, images(3), processor=build_processor("simclr", **size))
    assert {"attention.png", "features.png"} <= found and not caplog.records


def test_a_picture_that_cannot_be_drawn_is_left_out(tmp_path, caplog, monkeypatch):
    model = build_model("simclr")
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    with caplog.at_level(logging.WARNING):
        found = drawn(tmp_path, images(3), model=model, log=[{"loss": float("nan")}])
    assert "views.png" in found and not found & {"curve.png", "neighbours.png"}
    messages = [record.getMessage() for record in caplog.records]
    assert any(m.startswith("The picture curve.png is left out: log_history holds no finite loss") for m in messages)
    assert any(m.startswith("The picture neighbours.png is left out: The embeddings hold NaN") for m in messages)


def test_unreadable_images_are_replaced(tmp_path, caplog):
    for i, image in enumerate(images(12)):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / f"{i:02}.png")
    for i in (0, 5, 11):
        (tmp_path / f"{i:02}.png").write_bytes(b"no picture")
    folder = ImageFolder(tmp_path, max_unreadable=0.3)
    data = Data("own", folder, None, None, "", "")
    found = draw(tmp_path / "figures", build_model("simclr", "resnet"), build_processor("simclr"), data, LOG, None)
    assert {path.name for path in found} == ALWAYS | {"neighbours.png"}
    assert folder.count_unreadable() == 3 and not caplog.records


def test_large_images_are_shown_small(tmp_path, monkeypatch):
    shown = {}
    monkeypatch.setattr(
        "hf_ssl.hub.figures.of_run.save_neighbours",
        lambda path, embeddings, thumbnails, *rest: shown.update(images=thumbnails) or save_neighbours(
            path, embeddings, thumbnails, *rest
        ),
    )  # fmt: skip
    drawn(tmp_path, images(3), backbone="resnet")
    assert [tuple(image.shape) for image in shown["images"]] == [(3, 91, 160), (3, 23, 33), (3, 26, 33)]
