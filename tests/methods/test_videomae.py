"""VideoMAE: the loss of the official code, tubes, and what plain transformers loads."""

import pytest
import torch
from transformers import VideoMAEConfig, VideoMAEForVideoClassification, VideoMAEImageProcessor

from hf_ssl.encoders import encoder_for
from hf_ssl.methods.videomae import SSLVideoMAEConfig, SSLVideoMAEImageProcessor
from hf_ssl.testing import build_model, build_processor, build_views

from ..nn.test_tubelets import official_target
from .steps import loaded_by_transformers

MEAN, STD = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


@pytest.mark.parametrize("normalised", [True, False])
def test_loss_is_that_of_the_official_code(normalised):
    model, views = build_model("videomae", norm_pix_loss=normalised).eval(), build_views("videomae")
    clips, mask = views["pixel_values"], views["bool_masked_pos"]
    with torch.no_grad():
        output = model(**views)
        encoder = encoder_for(model.config.backbone_config)
        seen = encoder.tokens(model.backbone, clips, keep=views["visible_patches"]).patches
        prediction = model.decoder(seen, views["visible_patches"])
    pixels = clips * STD + MEAN  # as the engine of the official code does it
    if normalised:
        target = official_target(pixels, 2, 8)
    else:
        cells = pixels.unflatten(4, (4, 8)).unflatten(3, (4, 8)).unflatten(1, (2, 2))
        target = torch.einsum("btpchywx->bthwpyxc", cells.permute(0, 1, 2, 3, 4, 5, 6, 7)).flatten(4).flatten(1, 3)
    expected = torch.nn.functional.mse_loss(prediction[mask], target[mask])
    torch.testing.assert_close(output.loss, expected, atol=1e-5, rtol=1e-5)


def test_the_encoder_sees_what_the_native_model_sees():
    model, views = build_model("videomae").eval(), build_views("videomae")
    with torch.no_grad():
        native = model.backbone(views["pixel_values"], bool_masked_pos=views["bool_masked_pos"]).last_hidden_state
        ours = encoder_for(model.config.backbone_config).tokens(
            model.backbone, views["pixel_values"], keep=views["visible_patches"]
        )
    torch.testing.assert_close(ours.patches, native)


def test_what_is_hidden_does_not_change_the_embedding_but_the_loss():
    model, views = build_model("videomae").eval(), build_views("videomae")
    changed = views | {"pixel_values": views["pixel_values"].clone()}
    hidden = views["bool_masked_pos"].unflatten(1, (2, 4, 4))
    cells = hidden.repeat_interleave(2, 1).repeat_interleave(8, 2).repeat_interleave(8, 3)[:, :, None]
    noise = torch.rand_like(views["pixel_values"])
    changed["pixel_values"] += noise * cells
    with torch.no_grad():
        a, b = model(**views), model(**changed)
    torch.testing.assert_close(a.embeddings, b.embeddings)
    assert a.loss != b.loss


def test_tubes_are_the_same_in_all_frames():
    views = build_views("videomae")
    mask = views["bool_masked_pos"].unflatten(1, (2, 16))
    assert torch.equal(mask[:, 0], mask[:, 1]) and (mask[:, 0].sum(1) == 12).all()
    assert SSLVideoMAEImageProcessor().draw_masks(1, torch.Generator())["visible_patches"].shape == (1, 160)


def test_preprocessing_is_the_native_one():
    processor = build_processor("videomae")
    values = processor.to_dict()
    names = ("size", "crop_size", "resample", "image_mean", "image_std")
    native = VideoMAEImageProcessor(**{name: values[name] for name in names})
    clips = [list(torch.randint(0, 256, (4, 3, 40, 52), dtype=torch.uint8).numpy()) for _ in range(2)]
    ours, theirs = (p(clips, return_tensors="pt")["pixel_values"] for p in (processor, native))
    assert ours.shape == (2, 4, 3, 32, 32) and torch.equal(ours, theirs)


def test_plain_transformers_loads_the_encoder_and_fine_tunes_it(tmp_path):
    model, encoder = build_model("videomae").eval(), encoder_for(build_model("videomae").config.backbone_config)
    x = encoder.example(32)
    native = loaded_by_transformers(model, tmp_path, "VideoMAEModel")
    with torch.no_grad():
        embedding = native(x).last_hidden_state.mean(1)
        assert torch.equal(embedding, model.encoder().eval()(x).pooler_output)
    # Classifiers norm behind the mean instead: that norm is new, and the final one is left over.
    tuned, info = VideoMAEForVideoClassification.from_pretrained(
        tmp_path, use_mean_pooling=True, num_labels=3, output_loading_info=True
    )
    assert {k.split(".")[0] for k in info["missing_keys"]} == {"fc_norm", "classifier"}
    assert tuned(x).logits.shape == (2, 3)


def test_the_encoder_is_built_with_its_final_norm():
    config = SSLVideoMAEConfig(backbone_config=VideoMAEConfig(num_hidden_layers=1))
    assert config.backbone_config.use_mean_pooling is False
    with pytest.raises(ValueError, match="whole tubelets"):
        SSLVideoMAEConfig(backbone_config=VideoMAEConfig(num_frames=5, use_mean_pooling=False))
    with pytest.raises(ValueError, match="clips of 4 frames"):
        encoder_for(build_model("videomae").config.backbone_config).require_inputs(torch.zeros(1, 3, 3, 32, 32))
