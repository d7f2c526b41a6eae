"""What is measured during training, on partly labelled and on very small evaluation sets."""

import pytest
import torch

from hf_ssl import SSLTrainer, SSLTrainingArguments
from hf_ssl.data import TensorImages
from hf_ssl.evaluation import extract_features, knn_accuracy
from hf_ssl.training.online import has_labels, images_with_loss, require_labels

from ..conftest import build_model, build_processor


def images(labels, count=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    count = len(labels) if count is None else count
    return TensorImages(torch.randint(0, 256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8), labels)


def trainer(method, train, test, tmp_path, model=None, **arguments):
    arguments = {"per_device_train_batch_size": 4, "per_device_eval_batch_size": 4, **arguments}
    args = SSLTrainingArguments(tmp_path, use_cpu=True, report_to=[], **arguments)
    return SSLTrainer(model or build_model(method), args, build_processor(method), train, test)


@pytest.mark.parametrize(
    ("method", "labels", "expected"),
    [
        ("simclr", [-1] * 8, range(8)),
        ("simclr", [-1] * 9, range(8)),  # a last batch of one compares nothing
        ("simclr", [-1] * 11, range(8)),
        ("simclr", [-1] * 3, range(3)),
        ("simclr", [-1], []),
        ("simclr", [], []),
        ("dino", [-1] * 9, range(9)),
        ("mae", [-1], range(1)),
        ("supervised", [0, -1, 1, 7, 1], [0, 2, 4]),  # of two classes
        ("supervised", [-1, -1], []),
        ("supervised", None, []),
    ],
)
def test_images_with_loss(method, labels, expected):
    dataset = images(labels, count=2 if labels is None else None)
    assert list(images_with_loss(build_model(method), dataset, 4)) == list(expected)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("method", ["simclr", "dino", "mae", "barlow_twins"])
@pytest.mark.parametrize("count", [1, 3, 5])
def test_evaluation_sets_of_any_size(method, count, drop_last, tmp_path):
    test = images([i % 2 for i in range(count)], seed=1)
    run = trainer(method, images([0, 1] * 6), test, tmp_path, dataloader_drop_last=drop_last)
    metrics = run.evaluate()
    compares = run.model.smallest_eval_batch() > 1
    assert ("eval_loss" in metrics) == (count > 1 or not compares)
    assert 0 <= metrics["eval_knn"] <= 100 and run.args.dataloader_drop_last is drop_last
    if "eval_loss" in metrics:
        assert metrics["eval_loss"] == metrics["eval_loss"]  # not NaN
        seen = list(run.get_eval_dataloader().batch_sampler)
        assert sum(map(len, seen)) == (4 if compares and count == 5 else count)


def test_supervised_evaluates_the_labelled_images(tmp_path):
    model = build_model("supervised")
    train, test = images([0, 1] * 4), images([1, -1, 0, 5, 1], seed=1)
    some = trainer("supervised", train, test, tmp_path, model)
    assert [index for batch in some.get_eval_dataloader().batch_sampler for index in batch] == [0, 2, 4]
    assert 0 < some.evaluate()["eval_loss"] < 10
    nothing = trainer("supervised", train, images(None, 3), tmp_path, model).evaluate()
    assert "eval_loss" not in nothing and "eval_knn" not in nothing


def test_online_knn_takes_the_labelled_images(tmp_path):
    train, test = images([0, 1, -1, 1] * 4), images([1, -1, 0], seed=1)
    run = trainer("simclr", train, test, tmp_path)
    parts = [part.subset((part.labels >= 0).nonzero().flatten().tolist()) for part in (train, test)]
    bank, queries = (extract_features(run.model.encoder(), run.processing_class, part) for part in parts)
    expected = knn_accuracy(bank.embeddings, bank.labels, queries.embeddings, queries.labels, k=12)
    assert run.evaluate()["eval_knn"] == pytest.approx(expected)


@pytest.mark.parametrize(("train", "test"), [([-1] * 8, [0, 1]), ([0, 1] * 4, [-1, -1]), (None, [0, 1])])
def test_no_knn_without_labels(train, test, tmp_path):
    run = trainer("simclr", images(train, 8), images(test), tmp_path)
    assert "eval_loss" in run.evaluate() and "eval_knn" not in run.evaluate()


def test_a_dict_of_evaluation_sets(tmp_path):
    sets = {"one": images([0]), "two": images([1, 0], seed=1), "none": images([-1] * 4)}
    metrics = trainer("simclr", images([0, 1] * 4), sets, tmp_path).evaluate()
    assert {name for name in metrics if name.endswith(("_loss", "_knn"))} == {
        "eval_one_knn", "eval_two_loss", "eval_two_knn", "eval_none_loss",
    }  # fmt: skip


def test_training_goes_through_with_them(tmp_path):
    arguments = {"num_train_epochs": 2, "eval_strategy": "epoch", "save_strategy": "no", "logging_steps": 1}
    run = trainer("simclr", images([0, -1] * 4), images([1, -1, 0, 0, 1], seed=1), tmp_path, **arguments)
    run.train()
    assert sum("eval_knn" in entry for entry in run.state.log_history) == 2


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [(None, "these data have none"), ([-1] * 3, "these data have none"), ([0, -1, -1], "2 of these 3 images have"),
     ([0, 1, 2], "A label is 2, but SupervisedConfig.num_labels is 2")],
)  # fmt: skip
def test_supervised_needs_labels_on_all(labels, sentence):
    dataset = images(labels, 3)
    assert has_labels(dataset) is bool(labels and max(labels) >= 0)
    with pytest.raises(ValueError, match=sentence):
        require_labels(build_model("supervised"), dataset)


def test_the_best_checkpoint_by_knn_needs_labels(tmp_path):
    best = {"metric_for_best_model": "eval_knn"}
    with pytest.raises(ValueError, match="metric_for_best_model='eval_knn' needs online_knn=True, and labels"):
        trainer("simclr", images([0, 1] * 4), images([-1, -1]), tmp_path, **best)
    with pytest.raises(ValueError, match="needs online_knn=True"):
        trainer("simclr", images([0, 1] * 4), images([0, 1]), tmp_path, online_knn=False, **best)
    trainer("simclr", images([0, 1] * 4), images([0, -1]), tmp_path, **best)
