"""FixMatch against its formulas, written down once more; its views, its average, its learning rate, its classifier."""

import math

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoImageProcessor, AutoModel, AutoModelForImageClassification

from hf_ssl import FixMatchConfig
from hf_ssl.hub import export_pretrained, published_files, write_card
from hf_ssl.nn.pseudo_labels import pseudo_label_loss

from ..clean_process import run_clean
from ..conftest import build_model, build_processor, build_views
from ..training.test_resume import build_trainer


def reference(model, views, labels, unlabelled, threshold, weight):
    """Equations 3 and 4, image by image, in double precision; labels of the paper's two batches."""
    student = model.student
    images = [views[i, 0] for i in range(len(views))]
    strong = {i: views[i, 1] for i in unlabelled}
    pixels = torch.stack([*images, *strong.values()])
    h = student.backbone(pixels.double()).last_hidden_state[:, 0]
    logits = h @ student.classifier.weight.T + student.classifier.bias
    logarithms = logits - logits.exp().sum(1, keepdim=True).log()
    labelled = [i for i in range(len(views)) if i not in unlabelled]
    supervised = sum(-logarithms[i, labels[i]] for i in labelled) / len(labelled)
    total = 0.0
    for row, i in enumerate(unlabelled):
        probabilities = logarithms[i].detach().exp()
        if probabilities.max() >= threshold:
            total = total - logarithms[len(views) + row, probabilities.argmax()]
    return supervised + weight * total / len(unlabelled)


@pytest.mark.parametrize(("per_label", "weight"), [(1, 1.0), (3, 0.7), (7, 2.0)])
def test_loss_and_gradients_are_those_of_the_paper(per_label, weight):
    fields = {"num_labels": 3, "unlabelled_per_label": per_label, "unlabelled_weight": weight}
    model = build_model("fixmatch", **fields).double().train()
    views = build_views("fixmatch", batch=16)["pixel_values"].double()
    student = model.student
    with torch.no_grad():  # so that about half of the images count
        logits = student.classifier(student.backbone(views[:, 0]).last_hidden_state[:, 0])
        threshold = model.config.threshold = logits.softmax(1).amax(1).median().item() + 1e-6
    labels = torch.arange(16) % 3
    unlabelled = [i for i in range(16) if i % (1 + per_label)]
    output = model(views, labels)
    expected = reference(model, views, labels, unlabelled, threshold, weight)
    assert 0 < output.logs["pseudo_label_share"] < 1
    assert output.loss.item() == pytest.approx(expected.item(), abs=1e-5)
    parameters = [p for p in model.student.parameters() if p.requires_grad]
    ours = torch.autograd.grad(output.loss, parameters, allow_unused=True)
    for a, b in zip(ours, torch.autograd.grad(expected, parameters, allow_unused=True), strict=True):
        assert (a is None and b is None) or torch.allclose(a, b, atol=1e-5)


def test_only_the_first_of_a_group_has_a_label():
    model, views = build_model("fixmatch", unlabelled_per_label=3), build_views("fixmatch", batch=8)["pixel_values"]
    labels = torch.tensor([1, -1, -1, -1, 0, -1, -1, -1])
    loss = model.train()(views, labels).loss
    assert torch.equal(loss, model(views, labels.where(labels >= 0, 1)).loss)
    assert not torch.equal(loss, model(views, 1 - labels.clamp(min=0)).loss)


def test_the_mean_is_over_all_images_without_a_label():
    weak, strong = torch.tensor([[4.0, 0.0], [0.1, 0.0], [0.0, 5.0], [0.0, 0.2]]), torch.zeros(4, 2)
    result = pseudo_label_loss(weak, strong, 0.95)
    assert result.loss.item() == pytest.approx(2 * math.log(2) / 4) and result.share == 0.5
    assert pseudo_label_loss(weak, strong, 1.0).loss == 0


def test_evaluation_asks_the_average_and_takes_every_label():
    model = build_model("fixmatch", threshold=1.0).eval()
    views, labels = build_views("fixmatch", batch=5)["pixel_values"], torch.tensor([0, 1, -1, 1, 0])
    with torch.no_grad():
        logits = model.classifier(model.backbone(views[:, 0]).last_hidden_state[:, 0])
        expected = torch.nn.functional.cross_entropy(logits, labels, ignore_index=-1)
        torch.testing.assert_close(model(views, labels).loss, expected)


def test_the_average_follows_every_step_with_its_statistics():
    model = build_model("fixmatch", "resnet").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model(**build_views("fixmatch")).loss.backward()
    torch.optim.SGD(model.student.parameters(), lr=0.1).step()
    model.after_optimizer_step(0, 10)
    parameters = dict(model.named_parameters())
    for name, tensor in model.state_dict().items():
        if not name.startswith("student."):
            student = model.state_dict()[f"student.{name}"]
            expected = 0.9 * before[name] + 0.1 * student if name in parameters else student
            torch.testing.assert_close(tensor, expected)


def test_weak_views_are_flips_and_mirrored_shifts_and_strong_ones_are_drawn_anew():
    processor = build_processor("fixmatch", do_normalize=False)
    image = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    weak, strong = processor.views(image=image.repeat(64, 1, 1, 1), generator=torch.Generator())[
        "pixel_values"
    ].unbind(1)
    padded = torch.nn.functional.pad(image / 255, (4, 4, 4, 4), mode="reflect")
    shifts = [padded[0, :, i : i + 32, j : j + 32] for i in range(9) for j in range(9)]
    allowed = torch.stack([*shifts, *(torch.nn.functional.pad(image.flip(-1) / 255, (4,) * 4, mode="reflect")[
        0, :, i : i + 32, j : j + 32] for i in range(9) for j in range(9))])  # fmt: skip
    distance = (weak[:, None] - allowed).abs().amax((2, 3, 4))
    assert (distance.amin(1) < 1e-3).all() and distance.argmin(1).unique().numel() > 30
    # Cutout comes last: a square of 16 pixels, cut at the border, is exactly grey.
    grey = (strong == 0.5).all(1).sum((1, 2))
    assert ((grey >= 64) & (grey <= 256 + 4)).all() and (grey > 200).any()
    calm = build_processor("fixmatch", do_normalize=False, randaugment_ops=[], cutout_probability=0.0)
    one, other = calm.views(image=image.repeat(64, 1, 1, 1), generator=torch.Generator())["pixel_values"].unbind(1)
    assert sum(torch.equal(a, b) for a, b in zip(one, other, strict=True)) < 8


def test_the_learning_rate_ends_at_a_fifth_unless_another_schedule_is_asked_for(tmp_path):
    rates = {}
    for kind in ("cosine", "linear"):
        trainer = build_trainer("fixmatch", "vit", tmp_path, warmup_epochs=0, max_steps=8, lr_scheduler_type=kind)
        trainer.train()
        rates[kind] = [h["learning_rate"] for h in trainer.state.log_history if "loss" in h]
        assert trainer.effective()["lr_scheduler_type"] == {"cosine": "shallow_cosine"}.get(kind, kind)
    expected = [1e-2 * math.cos(7 * math.pi * k / (16 * 8)) for k in range(8)]
    assert rates["cosine"] == pytest.approx(expected)
    assert rates["linear"] == pytest.approx([1e-2 * (1 - k / 8) for k in range(8)])


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    model, processor = build_model("fixmatch", id2label={0: "cat", 1: "dog"}).eval(), build_processor("fixmatch")
    folder = tmp_path_factory.mktemp("fixmatch")
    return model, export_pretrained(model, processor, folder, write_card(model, processor))


def test_the_root_is_the_native_classifier(repository):
    model, folder = repository
    x = torch.randn(2, 3, 32, 32)
    torch.save(x, folder / "x.pt")
    code = """
import sys, torch
from transformers import AutoModel, AutoModelForImageClassification
x, folder = torch.load(sys.argv[1] + "/x.pt"), sys.argv[1]
encoder, classifier = (auto.from_pretrained(folder).eval() for auto in (AutoModel, AutoModelForImageClassification))
print(type(encoder).__name__, type(classifier).__name__, classifier.config.id2label[1])
with torch.no_grad():
    torch.save((encoder(x).pooler_output, classifier(x).logits), folder + "/x.pt")
"""
    assert run_clean(code, folder).split() == ["ViTModel", "ViTForImageClassification", "dog"]
    embedding, logits = torch.load(folder / "x.pt")
    (folder / "x.pt").unlink()
    with torch.no_grad():
        expected = model.encoder()(x).pooler_output
        torch.testing.assert_close(embedding, expected)
        torch.testing.assert_close(logits, model.classifier(expected))


def test_another_classifier_at_the_root_is_not_pushed(repository):
    _, folder = repository
    assert "model.safetensors" in published_files(folder)
    place, form = folder / "model.safetensors", {"format": "pt"}
    weights = load_file(place)
    save_file(weights | {"classifier.bias": weights["classifier.bias"] + 1}, place, form)
    with pytest.raises(ValueError, match=r"differ \(classifier.bias\)"):
        published_files(folder)
    save_file(weights, place, form)


@pytest.mark.parametrize("backbone", ["resnet", "swin", "convnext", "dinov2"])
def test_the_root_of_other_encoders(backbone, tmp_path):
    """DINOv2's native classifier adds the mean patch: its encoder is published without one."""
    model = build_model("fixmatch", backbone).eval()
    export_pretrained(model, build_processor("fixmatch"), tmp_path)
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = model.encoder()(x).pooler_output
        torch.testing.assert_close(AutoModel.from_pretrained(tmp_path).eval()(x).pooler_output.flatten(1), expected)
        if backbone != "dinov2":
            classifier = AutoModelForImageClassification.from_pretrained(tmp_path).eval()
            torch.testing.assert_close(classifier(x).logits, model.classifier(expected))
    assert AutoImageProcessor.from_pretrained(tmp_path).crop_size["height"] == 32


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("threshold", 1.5, "must lie in"),
        ("unlabelled_per_label", 0, "must be above 0"),
        ("unlabelled_weight", -1.0, "must be at least 0"),
        ("ema_momentum", 2.0, "must lie in"),
    ],
)
def test_values_that_cannot_be_meant(field, value, said):
    with pytest.raises(ValueError, match=f"FixMatchConfig.{field} {said}"):
        FixMatchConfig(**{field: value})
