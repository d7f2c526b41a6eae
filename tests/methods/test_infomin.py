"""InfoMin (arXiv:2005.10243): two queries for one key, how they are weighted, and the patches."""

import pytest
import torch
import torch.nn.functional as F

from hf_ssl import InfoMinConfig, InfoMinImageProcessor
from hf_ssl.augment import RANDAUGMENT_OPS
from hf_ssl.hub.figures import save_views

from ..conftest import build_model, build_processor, build_views
from ..nn.test_joint_embedding_losses import naive_info_nce


def naive_losses(model, views, patches, temperature):
    """Of the views and of the patches, image by image, patch by patch."""
    twin, head = model.target, model.jigsaw_projector
    with torch.no_grad():
        k = F.normalize(twin.projector(twin.backbone(views[:, 1]).last_hidden_state[:, 0]), dim=1)
    q = F.normalize(model.projector(model.encoder()(views[:, 0]).pooler_output), dim=1)
    rows = []
    for image in patches:
        parts = [head.patch(model.encoder()(patch[None]).pooler_output)[0] for patch in image]
        rows.append(F.normalize(head.image.weight @ torch.cat(parts) + head.image.bias, dim=0))
    negatives = model.queue.rows.clone()
    return [naive_info_nce(z, k, negatives, temperature) for z in (q, torch.stack(rows))], k


@pytest.mark.parametrize("weight", [0.5, 0.2])
def test_loss_gradients_and_queue(weight):
    model = build_model("infomin", jigsaw_weight=weight, temperature=0.3).train()
    batch = build_views("infomin")
    before = model.queue.rows.clone()
    (view, jigsaw), k = naive_losses(model, batch["pixel_values"], batch["jigsaw_pixel_values"], 0.3)
    parameters = [p for p in model.parameters() if p.requires_grad]
    expected = (1 - weight) * view + weight * jigsaw
    expected_gradients = torch.autograd.grad(expected, parameters)
    output = model(**batch)
    torch.testing.assert_close(output.loss, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(output.logs["view_loss"], view.detach(), atol=1e-5, rtol=0)
    torch.testing.assert_close(output.logs["jigsaw_loss"], jigsaw.detach(), atol=1e-5, rtol=0)
    for ours, naive in zip(torch.autograd.grad(output.loss, parameters), expected_gradients, strict=True):
        torch.testing.assert_close(ours, naive, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model.queue.rows[: len(k)], k, atol=1e-6, rtol=0)  # the keys once, not once a query
    assert torch.equal(model.queue.rows[len(k) :], before[len(k) :]) and model.queue.pointer == len(k)


def test_the_order_of_the_patches_matters_to_the_head_so_the_processor_draws_it():
    model, batch = build_model("infomin").eval(), build_views("infomin")
    with torch.no_grad():
        loss = model(**batch).logs["jigsaw_loss"]
        batch["jigsaw_pixel_values"] = batch["jigsaw_pixel_values"].flip(1)
        assert (model(**batch).logs["jigsaw_loss"] - loss).abs() > 1e-4
    # Cells of one value each: the values are the places, and their order differs from sample to sample.
    cells = torch.arange(0, 225, 25, dtype=torch.uint8).view(3, 3)
    image = cells.repeat_interleave(17, 0).repeat_interleave(17, 1).expand(8, 1, -1, -1)
    processor = build_processor("infomin", jigsaw_scale=[1.0, 1.0], crop_ratio=[1.0, 1.0], flip_probability=0.0)
    processor.do_normalize = False
    patches = processor.views(image=image, generator=torch.Generator().manual_seed(0))["jigsaw_pixel_values"]
    assert patches.shape == (8, 9, 3, 16, 16)
    places = (patches.mean((2, 3, 4)) * 9 * 255 / 225).round().long()
    assert torch.equal(places.sort(1).values, torch.arange(9).expand(8, 9))
    assert len(places.unique(dim=0)) == 8


def test_patches_find_the_key_of_the_other_view_and_the_twin_has_no_head_for_them():
    model = build_model("infomin").train()
    assert {name.split(".")[0] for name, _ in model.target.named_parameters()} == {"backbone", "projector"}
    batch = build_views("infomin")
    first = model(**batch).logs["jigsaw_loss"]
    model = build_model("infomin").train()
    batch["pixel_values"] = batch["pixel_values"].clone()
    batch["pixel_values"][:, 0] = 0
    torch.testing.assert_close(model(**batch).logs["jigsaw_loss"], first)  # not those of the query view
    batch["pixel_values"][:, 1] = 0
    model = build_model("infomin").train()
    assert (model(**batch).logs["jigsaw_loss"] - first).abs() > 1e-3


def test_without_patches_it_is_momentum_contrast():
    model = build_model("infomin", jigsaw_patches=0).train()
    processor = build_processor("infomin", jigsaw_grid=0, randaugment_ops=[])
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    views = processor.views(image=images, generator=torch.Generator().manual_seed(0))
    assert set(views) == {"pixel_values"} and processor.policies()["pixel_values"][0].randaugment_ops == ()
    moco = build_model("moco_v2", temperature=0.15)
    moco.load_state_dict(model.state_dict())
    torch.testing.assert_close(model(**views).loss, moco(**views).loss)


def test_a_short_batch_and_evaluation():
    model = build_model("infomin").eval()
    before = model.queue.rows.clone()
    assert model(**build_views("infomin", batch=1)).loss.isfinite()
    assert torch.equal(model.queue.rows, before) and model.queue.pointer == 0
    model.train()(**build_views("infomin", batch=1))
    assert model.queue.pointer == 1


def test_errors():
    model, batch = build_model("infomin"), build_views("infomin")
    with pytest.raises(ValueError, match=r"jigsaw_patches is 9: jigsaw_pixel_values must have the shape .* got None"):
        model(batch["pixel_values"])
    with pytest.raises(ValueError, match=r"\(4, 9, channels, h, w\), got \(4, 4, 3, 16, 16\)"):
        model(batch["pixel_values"], batch["jigsaw_pixel_values"][:, :4])
    with pytest.raises(ValueError, match="jigsaw_patches is 0: jigsaw_pixel_values must be None"):
        build_model("infomin", jigsaw_patches=0)(**batch)
    with pytest.raises(ValueError, match="exactly 2 views"):
        model(torch.zeros(4, 3, 3, 32, 32), batch["jigsaw_pixel_values"])
    with pytest.raises(ValueError, match="A queue of 16 keys on 12 images"):
        model.size_for(12)
    for field, value in (("jigsaw_weight", 1.5), ("target_momentum", -1), ("temperature", 0), ("jigsaw_patches", -1)):
        with pytest.raises(ValueError, match=f"InfoMinConfig.{field} must"):
            InfoMinConfig(**{field: value})
    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    with pytest.raises(ValueError, match="jigsaw_patch_size must be at most jigsaw_size // jigsaw_grid = 17, got 18"):
        build_processor("infomin", jigsaw_patch_size=18).views(image=images, generator=torch.Generator())
    with pytest.raises(ValueError, match="randaugment_ops must be a list of autocontrast, .*; got 'cutout'"):
        build_processor("infomin", randaugment_ops=["cutout"]).views(image=images, generator=torch.Generator())


def test_views_of_the_official_code():
    processor = InfoMinImageProcessor()
    first, second = processor.policies()["pixel_values"]
    assert first == second and first.crop_scale == (0.2, 1.0) and first.grayscale_probability == 0.2
    assert (first.brightness, first.contrast, first.saturation, first.hue) == (0.8, 0.8, 0.8, 0.2)
    assert first.jitter_probability == 0.8 and first.blur_probability == 0.5 and first.blur_taps == 23
    assert set(first.randaugment_ops) == set(RANDAUGMENT_OPS) - {"identity"} and len(first.randaugment_ops) == 15
    assert (first.randaugment_layers, first.randaugment_probability) == (2, 0.5)
    assert (first.randaugment_magnitude, first.randaugment_magnitude_std) == (10, 0.5)
    crop = processor.jigsaw_policy()
    assert (crop.size, crop.crop_scale, crop.flip_probability) == (255, (0.6, 1.0), 0.5)
    assert not (crop.jitter_probability or crop.blur_probability or crop.grayscale_probability or crop.randaugment_ops)
    views = processor.views(
        image=torch.randint(0, 256, (2, 1, 60, 50), dtype=torch.uint8), generator=torch.Generator()
    )
    assert views["pixel_values"].shape == (2, 2, 3, 224, 224)
    assert views["jigsaw_pixel_values"].shape == (2, 9, 3, 64, 64)
    config = InfoMinConfig()
    assert (config.jigsaw_weight, config.temperature, config.queue_length) == (0.5, 0.15, 65536)
    assert (config.target_momentum, config.projection_sizes, config.jigsaw_patches) == (0.999, (2048, 128), 9)


def test_patches_can_be_drawn(tmp_path):
    images = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    processor = build_processor("infomin")
    views = processor.views(image=images, generator=torch.Generator().manual_seed(0))
    path = save_views(tmp_path / "views.png", images, views, processor.image_mean, processor.image_std)
    assert path.stat().st_size > 10_000
