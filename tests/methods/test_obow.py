"""OBoW (arXiv:2012.11552) against its steps written out: teacher, words, bags, generated weights, loss."""

import math

import pytest
import torch
import torch.nn.functional as F

from hf_ssl import OBoWConfig, OBoWImageProcessor
from hf_ssl.methods.obow import RECIPES

from ..conftest import build_model, build_processor, build_views
from ..nn.test_visual_words import naive_bags


def levels_of(model, x):
    """The two maps of the teacher, a ViT of two layers with 4 x 4 patches: layer 1 and layer 2, after the norm."""
    teacher = model.teacher.backbone
    states = teacher(x, output_hidden_states=True).hidden_states
    return [teacher.layernorm(s)[:, 1:].transpose(1, 2).reshape(-1, 48, 4, 4).detach() for s in states[1:]]


def naive_weights(generator, words):
    # In training, so with the statistics of the vocabulary itself.
    hidden = F.linear(words / words.norm(dim=1, keepdim=True), generator[0].weight)
    hidden = (hidden - hidden.mean(0)) / (hidden.var(0, correction=0) + 1e-5).sqrt()
    hidden = torch.relu(hidden * generator[1].weight + generator[1].bias)
    weights = hidden @ generator[3].weight.T + generator[3].bias
    return weights / weights.norm(dim=1, keepdim=True)


def naive_step(model, views, kappa):
    """Loss, bags and running distances of one training step, from the model before it."""
    bags, distances, weights = [], [], []
    for x, words, generator in zip(
        levels_of(model, views["pixel_values"][:, 0]), model.vocabularies, model.generators, strict=True
    ):
        _, nearest = naive_bags(x, words.rows, 1.0, 1)
        distances.append(0.99 * words.min_distance.item() + 0.01 * nearest.item())
        bags.append(naive_bags(x, words.rows, 15.0 / distances[-1], 1)[0])
        weights.append(naive_weights(generator, words.rows))
    loss = 0.0
    for name in ("student_pixel_values", "local_pixel_values"):
        batch, count = views[name].shape[:2]
        for v in range(count):
            h = model.backbone(views[name][:, v], interpolate_pos_encoding=True).last_hidden_state[:, 0]
            for bag, w in zip(bags, weights, strict=True):
                log_p = (kappa * h @ w.T).log_softmax(1)
                loss = loss - (bag.float() * log_p).sum() / (batch * count * 2)
    return loss, bags, distances


def test_loss_gradients_words_and_teacher_follow_the_method():
    model = build_model("obow", kappa=2.0, teacher_momentum=0.9).train()
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trainable, lr=0.1)
    for vocabulary in model.vocabularies:
        vocabulary.min_distance.fill_(30.0)  # as after some time, so that assignments are soft
    for step in range(3):
        views = build_views("obow", seed=step)
        expected, bags, distances = naive_step(model, views, 2.0)
        gradients = torch.autograd.grad(expected, trainable)
        output = model(**views)
        torch.testing.assert_close(output.loss, expected, atol=1e-4, rtol=1e-5)
        for i, vocabulary in enumerate(model.vocabularies):
            assert vocabulary.min_distance.item() == pytest.approx(distances[i], rel=1e-5)
            assert vocabulary.pointer == 4 * (step + 1)
            perplexity = torch.special.entr(bags[i]).sum(1).exp().mean()
            assert output.logs[f"image_perplexity_{i}"].item() == pytest.approx(perplexity.item(), rel=1e-3)
        optimizer.zero_grad()
        output.loss.backward()
        for parameter, gradient in zip(trainable, gradients, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, atol=1e-4, rtol=1e-3)
        optimizer.step()
        momentum = 1 - 0.1 * (math.cos(math.pi * step / 30) + 1) / 2
        before = [p.clone() for p in model.teacher.backbone.parameters()]
        model.after_optimizer_step(step, 30)
        for old, student, new in zip(
            before, model.backbone.parameters(), model.teacher.backbone.parameters(), strict=True
        ):
            torch.testing.assert_close(new, momentum * old + (1 - momentum) * student, atol=1e-6, rtol=0)


def test_new_words_are_those_of_the_teachers_view():
    model = build_model("obow").train()
    views = build_views("obow")
    maps = levels_of(model, views["pixel_values"][:, 0])
    model(**views)
    for x, vocabulary in zip(maps, model.vocabularies, strict=True):
        torch.testing.assert_close(vocabulary.rows[:4], x[:, :, 1:3, 1:3].mean((2, 3)), atol=1e-5, rtol=1e-5)


def test_evaluation_leaves_the_words():
    model = build_model("obow").eval()
    before = {k: v.clone() for k, v in model.vocabularies.state_dict().items()}
    assert model(**build_views("obow")).loss.isfinite()
    assert all(torch.equal(before[k], v) for k, v in model.vocabularies.state_dict().items())


def test_a_student_that_knows_nothing_has_the_uniform_loss():
    model = build_model("obow", kappa=1e-9)
    views = build_views("obow")
    output = model(**views)
    assert output.logs["uniform_loss"].item() == pytest.approx(2 * math.log(64), abs=1e-5)
    assert output.loss.item() == pytest.approx(2 * math.log(64), abs=1e-4)
    del views["local_pixel_values"]  # one kind of views less, one term less
    output = model(**views)
    assert output.loss.item() == pytest.approx(math.log(64), abs=1e-4)
    assert output.logs["uniform_loss"].item() == pytest.approx(math.log(64), abs=1e-5)


def test_the_vanilla_version_has_one_level_and_one_crop():
    model = build_model("obow", "resnet", **RECIPES["vanilla"].config, vocabulary_size=16)
    assert model.levels == [-1] and len(model.vocabularies) == len(model.generators) == 1
    views = build_processor("obow", **RECIPES["vanilla"].processor).views(
        image=torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), generator=torch.Generator().manual_seed(0)
    )
    assert views.keys() == {"pixel_values", "student_pixel_values"} and views["student_pixel_values"].shape[1] == 1
    output = model(**views)
    assert output.loss.isfinite() and "image_perplexity_1" not in output.logs


def test_short_batches_and_batches_larger_than_the_vocabulary():
    model = build_model("obow", vocabulary_size=6).train()
    model(**build_views("obow", batch=4))
    model(**build_views("obow", batch=1))
    assert model.vocabularies[0].pointer == 5
    with pytest.raises(ValueError, match="7 images at once do not fit a vocabulary of 6 words: raise vocabulary_size"):
        model(**build_views("obow", batch=7))


def test_words_stay_in_float32(tmp_path):
    model = build_model("obow")
    model.save_pretrained(tmp_path)
    half = type(model).from_pretrained(tmp_path, dtype=torch.bfloat16)
    for ours, original in zip(half.vocabularies, model.vocabularies, strict=True):
        assert torch.equal(ours.rows, original.rows) and ours.min_distance.dtype == torch.float32
        assert ours.pointer.dtype == ours.updates.dtype == torch.int64


def test_defaults_are_those_of_the_official_full_version():
    config = OBoWConfig()
    assert (config.vocabulary_size, config.inverse_temperature, config.kappa) == (8192, 15.0, 8.0)
    assert (config.distance_momentum, config.border, config.teacher_momentum) == (0.99, 1, 0.99)
    model = build_model("obow", "resnet", vocabulary_size=16)
    assert model.levels == [-2, -1]
    assert [g[0].weight.shape for g in model.generators] == [(64, 16), (64, 32)]  # twice the embedding of 32
    paper = RECIPES["paper"].training
    assert (paper["base_learning_rate"], paper["min_learning_rate"], paper["warmup_epochs"]) == (0.03, 3e-5, 10)


def test_views_of_the_official_code():
    processor = OBoWImageProcessor()
    (first, second), source = processor.policies()["student_pixel_values"], processor.policy(1, 256, [0.6, 1.0])
    assert first == second and first.size == 160 and first.crop_scale == (0.08, 0.6)
    assert (first.brightness, first.contrast, first.saturation, first.hue) == (0.4, 0.4, 0.4, 0.1)
    assert (first.blur_probability, source.blur_probability, source.grayscale_probability) == (0.5, 0.0, 0.2)
    views = processor.views(
        image=torch.randint(0, 256, (2, 3, 260, 300), dtype=torch.uint8), generator=torch.Generator()
    )
    shapes = {name: tuple(value.shape) for name, value in views.items()}
    assert shapes == {
        "pixel_values": (2, 1, 3, 224, 224),
        "student_pixel_values": (2, 2, 3, 160, 160),
        "local_pixel_values": (2, 5, 3, 96, 96),
    }


def test_the_teacher_sees_what_inference_sees_flipped_or_not():
    processor = OBoWImageProcessor(image_mean=[0.0] * 3, image_std=[1.0] * 3)
    ramp = torch.linspace(0, 255, 256).round().to(torch.uint8)
    images = torch.stack([ramp.expand(256, 256), ramp[:, None].expand(256, 256), ramp.expand(256, 256)])
    images = images.expand(8, 3, 256, 256).contiguous()
    inference = processor([image.permute(1, 2, 0).numpy() for image in images], return_tensors="pt")["pixel_values"]
    views = processor.views(image=images, generator=torch.Generator().manual_seed(0))["pixel_values"][:, 0]
    flipped = 0
    for view, plain in zip(views, inference, strict=True):
        straight, mirrored = ((view - x).abs().max().item() for x in (plain, plain.flip(2)))
        assert min(straight, mirrored) < 1e-6
        flipped += mirrored < straight
    assert 0 < flipped < 8


def test_errors():
    model, views = build_model("obow"), build_views("obow")
    with pytest.raises(ValueError, match="OBoW needs one view for the teacher"):
        model(views["pixel_values"])
    with pytest.raises(ValueError, match="OBoW needs one view for the teacher"):
        model(**{**views, "pixel_values": torch.zeros(4, 2, 3, 32, 32)})
    with pytest.raises(ValueError, match="levels must be different numbers from -2 to -1"):
        build_model("obow", levels=[-5])
    with pytest.raises(ValueError, match="border must be at least 0"):
        OBoWConfig(border=-1)
    with pytest.raises(ValueError, match="vocabulary_size must be above 0"):
        OBoWConfig(vocabulary_size=0)
    with pytest.raises(ValueError, match="teacher_momentum must lie in"):
        OBoWConfig(teacher_momentum=1.5)
    with pytest.raises(ValueError, match="border lower"):
        build_model("obow", border=2)(**views)
