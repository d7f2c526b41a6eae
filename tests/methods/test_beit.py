"""BEiT (arXiv:2106.08254) against its equations, with words by k-means over patches."""

import pytest
import torch
import torch.nn.functional as F
from transformers import BeitConfig

from hf_ssl import BEiTConfig, BEiTForPreTraining, BEiTImageProcessor
from hf_ssl.nn.patches import patchify

from ..conftest import BACKBONES, build_model, build_views
from ..training.test_resume import StopAt, build_trainer


class Given:
    """Batches, as `prepare` takes them."""

    num_samples = 40

    def __init__(self):
        self.passes = 0

    def batches(self):
        self.passes += 1
        return (build_views("beit", batch=8, seed=seed) for seed in range(5))


def test_loss_and_gradients_follow_the_equation():
    model = build_model("beit", pooling=None, drop_path_rate=0.0).train()
    model.prepare(Given())
    views = build_views("beit", seed=7)
    images, mask = views["pixel_values"], views["bool_masked_pos"]
    tokens = model.backbone(images, bool_masked_pos=mask).last_hidden_state[:, 1:]
    terms, right = [], 0
    for image in range(4):
        for patch in range(16):
            if mask[image, patch]:
                row, column = divmod(patch, 4)
                pixels = images[image, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
                pixels = pixels.permute(1, 2, 0).flatten()
                word = (model.tokenizer.words - pixels).square().sum(1).argmin()
                logits = tokens[image, patch] @ model.head.weight.T + model.head.bias
                terms.append(-F.log_softmax(logits, dim=0)[word])
                right += int(logits.argmax() == word)
    expected = torch.stack(terms).mean()
    gradients = torch.autograd.grad(expected, list(model.parameters()))
    for masked in (views["masked_patches"], None):
        model.zero_grad()
        output = model(images, mask, masked_patches=masked)
        torch.testing.assert_close(output.loss, expected, atol=1e-5, rtol=0)
        assert output.logs["word_accuracy"].item() == pytest.approx(right / len(terms))
        output.loss.backward()
        for (name, parameter), gradient in zip(model.named_parameters(), gradients, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, atol=1e-5, rtol=1e-4, msg=name)


def test_images_with_fewer_masked_patches_weigh_less():
    model, views = build_model("beit").eval(), build_views("beit")
    mask = views["bool_masked_pos"].clone()
    mask[0] = False
    mask[0, 3] = True
    whole = model(views["pixel_values"], mask).loss
    losses = [model(x[None], m[None]).loss * m.sum() for x, m in zip(views["pixel_values"], mask, strict=True)]
    torch.testing.assert_close(whole, sum(losses) / mask.sum(), atol=1e-5, rtol=0)


def test_words_are_found_once_and_saved(tmp_path):
    model, data = build_model("beit"), Given()
    noise = model.tokenizer.words.clone()
    model.prepare(data)
    assert data.passes == 1 and model.tokenizer.fitted and not torch.equal(noise, model.tokenizer.words)
    model.save_pretrained(tmp_path)
    again = BEiTForPreTraining.from_pretrained(tmp_path)
    again.prepare(data)  # the head knows these words
    assert data.passes == 1 and torch.equal(again.tokenizer.words, model.tokenizer.words)


def test_a_run_that_goes_on_keeps_its_words(tmp_path):
    first = build_trainer("beit", "vit", tmp_path, callbacks=[StopAt(2)])
    first.train()
    assert first.model.tokenizer.fitted
    resumed = build_trainer("beit", "vit", tmp_path)
    resumed.model.prepare = None  # nobody calls it
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert torch.equal(resumed.model.tokenizer.words, first.model.tokenizer.words)


def test_a_mean_pooled_beit_trains_what_it_publishes():
    widths = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 96}
    pooling = {"use_mean_pooling": True, "use_shared_relative_position_bias": True}
    config = BeitConfig(**widths, **pooling, image_size=32, patch_size=8)
    model = BEiTForPreTraining(BEiTConfig(backbone_config=config, pooling=None, vocab_size=16)).train()
    model(**build_views("beit")).loss.backward()
    assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []
    views = build_views("beit")["pixel_values"]
    with torch.no_grad():
        ours, native = model.eval().encoder()(views), model.native_encoder()(views)
    torch.testing.assert_close(native.pooler_output, ours.pooler_output, atol=1e-5, rtol=0)


def test_masks_and_views_are_those_of_the_official_code():
    processor = BEiTImageProcessor()
    masks = processor.draw_masks(50, torch.Generator().manual_seed(0))
    assert masks["bool_masked_pos"].shape == (50, 196) and (masks["bool_masked_pos"].sum(1) == 75).all()
    assert masks["bool_masked_pos"].gather(1, masks["masked_patches"]).all()
    policy = processor.policies()["pixel_values"][0]
    assert (policy.brightness, policy.contrast, policy.saturation, policy.hue) == (0.4, 0.4, 0.4, 0.0)
    assert policy.jitter_probability == 1.0 and policy.crop_scale == (0.08, 1.0)


def test_the_tokenizer_sees_the_patches_of_the_encoder():
    model, views = build_model("beit"), build_views("beit")
    with torch.no_grad():
        model.tokenizer.words.copy_(patchify(views["pixel_values"], 8).flatten(0, 1)[:16])
    assert torch.equal(model.tokenizer.tokenize(views["pixel_values"])[0], torch.arange(16))
    assert model.tokenizer.grid((32, 24)) == (4, 3)


def test_bad_input():
    views = build_views("beit")
    with pytest.raises(ValueError, match="check patch_size and the crop sizes"):
        build_model("beit")(views["pixel_values"], views["bool_masked_pos"][:, :9])
    with pytest.raises(ValueError, match="BEiTConfig puts a mask token in the place of patches"):
        BEiTConfig(backbone_config=BACKBONES["convnext"](), pooling=None)
    with pytest.raises(ValueError, match="tokenizer_patches must be at least vocab_size, got 10 and 16"):
        BEiTConfig(vocab_size=16, tokenizer_patches=10)
