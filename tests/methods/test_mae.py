"""MAE (arXiv:2111.06377) against transformers' own `ViTMAEForPreTraining`, whose code is independent of ours."""

import pytest
import torch
from transformers import ViTConfig, ViTMAEConfig, ViTMAEForPreTraining

from hf_ssl import MAEConfig, MAEForPreTraining, MAEImageProcessor
from hf_ssl.nn.patches import patchify
from hf_ssl.nn.positions import sincos_positions

from ..conftest import BACKBONES, build_model, build_views


def native_twin(model):
    """A `ViTMAEForPreTraining` with the weights of `model`."""
    vit, config = model.config.backbone_config, model.config
    native = ViTMAEForPreTraining(
        ViTMAEConfig(
            hidden_size=vit.hidden_size,
            num_hidden_layers=vit.num_hidden_layers,
            num_attention_heads=vit.num_attention_heads,
            intermediate_size=vit.intermediate_size,
            layer_norm_eps=vit.layer_norm_eps,
            image_size=vit.image_size,
            patch_size=vit.patch_size,
            decoder_hidden_size=config.decoder_hidden_size,
            decoder_num_hidden_layers=config.decoder_num_hidden_layers,
            decoder_num_attention_heads=config.decoder_num_attention_heads,
            decoder_intermediate_size=config.decoder_intermediate_size,
            norm_pix_loss=config.norm_pix_loss,
            mask_ratio=0.75,
        )
    )
    renamed = {}
    for name, tensor in model.state_dict().items():
        name = name.replace("backbone.", "vit.")
        for ours, theirs in (
            ("decoder.embed.", "decoder.decoder_embed."),
            ("decoder.layers.", "decoder.decoder_layers."),
            ("decoder.layernorm.", "decoder.decoder_norm."),
            ("decoder.predict.", "decoder.decoder_pred."),
            ("decoder.position_embeddings", "decoder.decoder_pos_embed"),
        ):
            name = name.replace(ours, theirs)
        renamed[name] = tensor
    missing, unexpected = native.load_state_dict(renamed, strict=False)
    return native, missing, unexpected


@pytest.mark.parametrize("norm_pix_loss", [True, False])
def test_loss_prediction_and_gradient_equal_transformers(norm_pix_loss):
    model = build_model("mae", norm_pix_loss=norm_pix_loss)
    native, missing, unexpected = native_twin(model)
    assert not missing and not unexpected
    views = build_views("mae")
    noise = views["bool_masked_pos"].float() + torch.arange(16) / 100  # visible patches first, in image order
    theirs = native(views["pixel_values"], noise=noise)
    ours = model(**views)
    assert torch.equal(theirs.mask.bool(), views["bool_masked_pos"])
    torch.testing.assert_close(ours.loss, theirs.loss, atol=1e-5, rtol=0)
    ours.loss.backward()
    theirs.loss.backward()
    pairs = (
        (model.backbone.layers[0].mlp.fc1.weight, native.vit.layers[0].mlp.fc1.weight),
        (model.backbone.embeddings.cls_token, native.vit.embeddings.cls_token),
        (model.decoder.mask_token, native.decoder.mask_token),
    )
    for a, b in pairs:
        torch.testing.assert_close(a.grad, b.grad, atol=1e-6, rtol=1e-4)


def test_reconstruction_is_in_pixels():
    model = build_model("mae")
    views = build_views("mae")
    assert model.train()(**views).reconstruction is None  # nobody looks
    output = model.eval()(**views)
    patches = patchify(views["pixel_values"], 8)
    painted = patchify(output.reconstruction, 8)
    scale = (patches.var(-1, keepdim=True) + 1e-6).sqrt()
    error = ((painted - patches) / scale).square().mean(-1)[views["bool_masked_pos"]].mean()
    torch.testing.assert_close(error, output.loss.detach(), atol=1e-4, rtol=0)


def test_fresh_positions_are_sine_cosine_and_fixed():
    model = MAEForPreTraining(MAEConfig(backbone_config=BACKBONES["vit"]()))
    positions = model.backbone.embeddings.position_embeddings
    assert torch.equal(positions, sincos_positions(48, 4, 4)) and not positions.requires_grad
    assert torch.equal(model.decoder.position_embeddings, sincos_positions(512, 4, 4))
    learnt = MAEForPreTraining(MAEConfig(backbone_config=BACKBONES["vit"](), freeze_position_embeddings=False))
    assert learnt.backbone.embeddings.position_embeddings.requires_grad


def test_fresh_weights_are_xavier():
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 256}
    config = ViTConfig(**sizes, image_size=32, patch_size=8)
    model = MAEForPreTraining(MAEConfig(backbone_config=config))
    for weight in (
        model.backbone.layers[0].mlp.fc1.weight,
        model.decoder.layers[0].mlp.fc1.weight,
        model.backbone.embeddings.patch_embeddings.projection.weight.flatten(1),
    ):
        bound = (6 / sum(weight.shape)) ** 0.5
        assert 0.95 * bound < weight.abs().max() <= bound


def test_bad_input():
    with pytest.raises(ValueError, match="plain ViT backbone, got 'resnet'"):
        MAEConfig(backbone_config=BACKBONES["resnet"]())
    with pytest.raises(ValueError, match="divisible by patch_size"):
        MAEConfig(backbone_config=ViTConfig(image_size=30, patch_size=8))
    views = build_views("mae")
    with pytest.raises(ValueError, match="check patch_size and crop_size"):
        build_model("mae")(views["pixel_values"], views["bool_masked_pos"][:, :9])


def test_views_are_a_crop_a_flip_and_a_mask():
    policy = MAEImageProcessor().policies()["pixel_values"][0]
    assert policy.crop_scale == (0.2, 1.0) and policy.flip_probability == 0.5 and policy.interpolation == "bicubic"
    assert policy.jitter_probability == policy.grayscale_probability == policy.blur_probability == 0
    mask = build_views("mae")["bool_masked_pos"]
    assert mask.shape == (4, 16) and (mask.sum(1) == 12).all()
