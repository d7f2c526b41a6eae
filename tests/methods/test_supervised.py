"""The supervised row."""

import pytest
import torch
import torch.nn.functional as F

from hf_ssl import SSLTrainer, SSLTrainingArguments
from hf_ssl.data import TensorImages

from ..conftest import build_model, build_processor, build_views


def test_the_loss_is_the_cross_entropy_of_every_view():
    model = build_model("supervised", label_smoothing=0.1).train()
    views = build_processor("supervised", views_per_image=2).views(
        image=torch.rand(4, 3, 32, 32), generator=torch.Generator()
    )["pixel_values"]
    labels = torch.tensor([0, 1, 1, 0])
    output = model(views, labels=labels)
    logits = [model.classifier(model.encoder()(v).pooler_output) for v in views.unbind(1)]
    expected = sum(F.cross_entropy(x, labels, label_smoothing=0.1) for x in logits) / 2
    torch.testing.assert_close(output.loss, expected, atol=1e-6, rtol=0)
    right = torch.stack([x.argmax(1) == labels for x in logits]).float().mean()
    torch.testing.assert_close(output.logs["accuracy"], right)


def test_unknown_labels_do_not_count():
    model = build_model("supervised").eval()
    views = build_views("supervised")["pixel_values"]
    some = model(views, labels=torch.tensor([0, -1, 1, -1])).loss
    torch.testing.assert_close(some, model(views[::2], labels=torch.tensor([0, 1])).loss)


def trainer(labels, folder):
    images = TensorImages(torch.zeros(8, 3, 32, 32, dtype=torch.uint8), labels=labels)
    args = SSLTrainingArguments(output_dir=str(folder), per_device_train_batch_size=4, use_cpu=True)
    return SSLTrainer(build_model("supervised"), args, build_processor("supervised"), train_dataset=images)


def test_missing_and_impossible_labels(tmp_path):
    with pytest.raises(ValueError, match="learns from labels, and these data have none"):
        trainer(None, tmp_path)
    with pytest.raises(ValueError, match="A label is 2, but SupervisedConfig.num_labels is 2"):
        trainer([0, 1, 2, 0, 1, 2, 0, 1], tmp_path)
    with pytest.raises(ValueError, match="needs `labels`"):
        build_model("supervised")(build_views("supervised")["pixel_values"])


def test_the_collator_hands_labels_to_this_method_only(tmp_path):
    batch = next(iter(trainer([0, 1] * 4, tmp_path).get_train_dataloader()))
    assert sorted(batch) == ["labels", "pixel_values"]
