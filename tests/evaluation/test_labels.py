"""Partly labelled data: what can be evaluated is, and what cannot is refused before anything is embedded."""

import pytest
import torch
from torch.utils.data import Subset
from transformers import AutoModel, ViTImageProcessorPil

from hf_ssl.data import TensorImages
from hf_ssl.evaluation import evaluate_encoder, extract_features, labelled_part
from hf_ssl.evaluation.evaluate import LARGEST_PROBE
from hf_ssl.evaluation.features import Features
from hf_ssl.evaluation.labels import evaluable, labels_of

from .evaluation_cases import CONFIGS, Images, tiny_encoder


@pytest.fixture
def processor():
    return ViTImageProcessorPil(size={"height": 16, "width": 16})


def ours(labels, seed=0):
    """A data set of `hf_ssl.data`; the brightness of an image is its class."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, 60, (len(labels), 3, 16, 16), generator=generator)
    brightness = 60 * torch.tensor(labels).clamp_min(0).view(-1, 1, 1, 1)
    return TensorImages((noise + brightness).to(torch.uint8), labels)


def foreign(labels):
    """A list of samples, as anybody may have one."""
    samples = list(ours(labels))
    return [{k: v for k, v in sample.items() if k != "label" or v >= 0} for sample in samples]


@pytest.mark.parametrize("make", [ours, foreign, lambda labels: Subset(ours([0, *labels]), range(1, 1 + len(labels)))])
def test_labels_of_any_data_set(make):
    labels = [2, -1, 0, 0, -1]
    dataset = make(labels)
    assert labels_of(dataset).tolist() == labels
    part = labelled_part(dataset, labels_of(dataset))
    assert [part[i]["label"] for i in range(len(part))] == [2, 0, 0]
    whole = make([1, 0])
    assert labelled_part(whole, labels_of(whole)) is whole
    assert labels_of(TensorImages(torch.zeros(2, 3, 4, 4, dtype=torch.uint8))).tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("train", "test", "sentence"),
    [
        ([], [0], "The training set is empty"),
        ([0, 1], [], "The test set is empty"),
        ([-1, -1], [0, 1], "The training set has no labels"),
        ([0, 1], [-1], "The test set has no labels"),
        ([1, -1, 1], [0, 1], "All 2 labelled training images are of one class"),
    ],
)
def test_refused_before_anything_is_embedded(train, test, sentence, processor):
    with pytest.raises(ValueError, match=sentence):
        evaluable(ours(train) if train else [], ours(test) if test else [])
    if train and test:
        with pytest.raises(ValueError, match=sentence):
            evaluate_encoder(tiny_encoder(), processor, foreign(train), foreign(test))


@pytest.mark.parametrize(
    ("train", "test", "notes"),
    [
        ([0, 1, 2], [2, 1], []),
        ([0, -1, 2], [2, -1, -1, 0], ["1 of 3 training images have no label", "2 of 4 test images have no label"]),
        ([0, 1], [7, 7, 9, 1], ["2 of the 3 classes of the test images have no training image: their 3 test images"]),
        ([0, 1], [1, 1], ["All test images are of one class, so that chance is 100 %"]),
    ],
)
def test_what_a_reader_has_to_know(train, test, notes):
    found = evaluable(ours(train), ours(test))
    assert [len(part) for part in found[:2]] == [sum(c >= 0 for c in labels) for labels in (train, test)]
    assert len(found[2]) == len(notes) and all(note in text for note, text in zip(notes, found[2], strict=True))


TINY = {  # name -> labels to train and to test on
    "labels on some": ([0, 1, -1, 2] * 6, [2, -1, 0, 1]),
    "one image to test on": ([0, 1] * 6, [1]),
    "two images to train on": ([0, 1], [1, 0, 0]),
    "a class that is only tested": ([0, 3] * 4, [0, 3, 12]),
    "classes of one, of two and of many": ([0] * 9 + [1] * 2 + [2], [0, 1, 2]),
}


@pytest.mark.parametrize("name", TINY)
def test_small_and_partly_labelled_sets(name, processor):
    train, test = TINY[name]
    known = [[c for c in labels if c >= 0] for labels in (train, test)]
    model = AutoModel.from_config(CONFIGS["resnet"][0])
    report = evaluate_encoder(model, processor, ours(train), ours(test, seed=1), batch_size=5)
    assert (report.num_train, report.num_test) == tuple(map(len, known))
    assert report.num_classes == len({*known[0], *known[1]})
    assert report.protocol["k"] == min(20, len(known[0]))
    assert f"k = {report.protocol['k']}," in report.table() and report.notes
    assert any("instead of 20" in note for note in report.notes) == (len(known[0]) < 20)
    unseen = sum(c not in known[0] for c in known[1])
    reachable = 100 * (1 - unseen / len(known[1]))
    assert all(0 <= row.linear <= reachable + 1e-9 and 0 <= row.knn <= reachable + 1e-9 for row in report.rows)
    assert len(test) > 1 or "collapse" not in report.verdict()  # one embedding has no spread
    options = {"linear": False, "baselines": False, "batch_size": 1}
    same = evaluate_encoder(model, processor, foreign(train), foreign(test), **options)
    assert (same.num_train, same.num_test, same.notes) == (report.num_train, report.num_test, report.notes)


def test_numbers_are_those_of_the_labelled_images_alone(processor):
    model = AutoModel.from_config(CONFIGS["resnet"][0])
    train, test = ours([0, 5, -1, 9] * 8), ours([9, -1, 0, 5], seed=1)
    alone = [dataset.subset((dataset.labels >= 0).nonzero().flatten().tolist()) for dataset in (train, test)]
    some = evaluate_encoder(model, processor, train, test, baselines=False)
    all_of = evaluate_encoder(model, processor, *alone, baselines=False)
    assert some.rows == all_of.rows and some.chance == all_of.chance == pytest.approx(100 / 3)
    assert len(some.notes) == 2 and not all_of.notes


@pytest.mark.parametrize(("linear", "probed"), [(None, False), (True, True), (False, False)])
def test_a_probe_that_takes_hours_is_run_where_it_is_asked_for(linear, probed, processor, monkeypatch):
    monkeypatch.setitem(LARGEST_PROBE, "cpu", 12)
    model = AutoModel.from_config(CONFIGS["resnet"][0])
    report = evaluate_encoder(model, processor, ours([0, 1] * 12), ours([0, 1]), linear=linear, baselines=False)
    assert (report.rows[-1].linear is not None) == (report.protocol["linear"] is not None) == probed
    assert any("would take hours" in note for note in report.notes) == (linear is None)


def test_l2_is_fixed_where_nothing_can_be_held_out(processor):
    model = AutoModel.from_config(CONFIGS["resnet"][0])
    for train, expected in (([0, 1, 0, 1], "L2 strength 1: too few"), ([0, 1] * 3, "45 L2 strengths")):
        report = evaluate_encoder(model, processor, ours(train), ours([0, 1]), baselines=False)
        assert expected in report.protocol["linear"]


def test_features_keep_what_is_unknown(processor):
    model = AutoModel.from_config(CONFIGS["resnet"][0])
    features = extract_features(model, processor, foreign([1, -1, 0]))
    assert features.labels.tolist() == [1, -1, 0]
    assert features.labelled().labels.tolist() == [1, 0]
    assert torch.equal(features.labelled().embeddings, features.embeddings[[0, 2]])
    whole = Features(torch.zeros(2, 3), torch.tensor([0, 1]))
    assert whole.labelled() is whole
    assert extract_features(model, processor, Images(2, labelled=False)).labels is None
