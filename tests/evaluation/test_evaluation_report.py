import json

import pytest
import torch
from torch.utils.data import Subset
from transformers import AutoModel

from hf_ssl.evaluation import (
    EvaluationReport,
    EvaluationRow,
    evaluate_encoder,
    extract_features,
    knn_accuracy,
    preprocess,
    random_init_like,
    raw_pixels,
)

from .evaluation_cases import CONFIGS, Images, tiny_encoder


def report(ours, raw=20.4, random=30.6, n=1600, std=0.8, chance=6.25, before=None):
    rows = [EvaluationRow("this encoder", 192, ours, 60.0)]
    if before is not None:
        rows.insert(0, EvaluationRow("before", 192, before, 50.0))
    if raw is not None:
        rows = [EvaluationRow("raw pixels", 1024, raw, 18.1), EvaluationRow("random init", 192, random, 30.9), *rows]
    return EvaluationReport(rows, 6400, n, 16, chance, 50.0, std, {"k": 20, "temperature": 0.07})


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (report(62.9), "better than raw pixels by 42.5 and random init by 32.3 points of kNN: the encoder has learnt"),
        (report(31.0), "no better than its random initialisation: +0.4 points of kNN, where up to 3.3 is noise"),
        (report(32.0), "no better than its random initialisation"),
        (report(35.0, n=100), "no better than its random initialisation"),
        (report(35.0), "better than raw pixels by 14.6 and random init by 4.4"),
        (report(77.8, raw=84.6, random=60.0), "not than raw pixels (-6.8"),
        (report(15.0), "worse than its random initialisation by 15.6 points of kNN"),
        (report(15.0, std=0.01), "look for collapse"),
        (report(7.0, raw=None), "no better than chance"),
        (report(50.0, raw=None), "better than chance by 43.8 points of kNN; without the baselines"),
        (
            report(62.9, before=50.0),
            "better than before by 12.9, raw pixels by 42.5 and random init by 32.3 points of kNN: the encoder has",
        ),
        (report(62.9, raw=None, before=50.0), "better than before by 12.9 points of kNN: the encoder has learnt"),
        (
            report(50.4, before=50.0),
            "no better than before: +0.4 points of kNN, where up to 3.5 is noise; training has",
        ),
        (report(40.0, before=50.0), "worse than before by 10.0 points of kNN: training has destroyed information"),
        (report(5.0, before=50.0, std=0.01), "information (all embeddings point almost the same way"),
        (
            report(30.0, before=10.0),
            "better than before by 20.0 and raw pixels by 9.6 points of kNN, but not than random init (-0.6, noise up "
            "to 3.2): the encoder has learnt, and on these data an encoder without training does as well or better",
        ),
        (report(20.0, before=10.0), "but not than raw pixels (-0.4, noise up to 2.8) and random init (-10.6, noise"),
    ],
)
def test_verdict(case, words):
    assert words in case.verdict()
    assert ("collapse" in case.verdict()) == (case.feature_std < 0.05)


def test_results_of_earlier_versions_are_read():
    old = report(62.9).to_dict()
    del old["notes"]
    assert EvaluationReport.from_dict(old) == report(62.9)


def test_before_and_notes_stand_in_the_table():
    one = report(62.9, before=50.0)
    one.notes.append("3 of 9 test images have no label and are left out.")
    assert EvaluationReport.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    for text in (one.table(), one.to_markdown()):
        assert "before" in text.splitlines()[3 if text == one.table() else 4]
        assert "The row before is the encoder that training started from. 3 of 9 test images have" in text
    assert "before" not in report(62.9).table()


def test_noise_is_never_zero():
    assert report(100.0, raw=99.9, random=99.9, n=20).verdict().startswith("no better than its random")


def test_table_and_round_trip():
    one = report(62.9)
    assert EvaluationReport.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    lines = one.table().splitlines()
    assert lines[0].split() == ["kNN", "%", "linear", "%", "dim"]
    assert lines[1].split() == ["raw", "pixels", "20.4", "18.1", "1024"]
    assert len({line.rindex("%") if i == 0 else line.rindex(".") + 1 for i, line in enumerate(lines[:4])}) == 1
    assert lines[4].split() == ["chance", "6.2", "6.2"]
    assert "16 classes, 6400 to train on and 1600 to test on. kNN: cosine, k = 20, T = 0.07." == lines[-1]
    markdown = one.to_markdown().splitlines()
    assert markdown[1] == "| --- | ---: | ---: | ---: |"
    assert markdown[4] == "| this encoder | 62.9 | 60.0 | 192 |"
    knn_only = EvaluationReport([EvaluationRow("this encoder", 8, 50.0)], 10, 10, 2, 50.0, 3.0, 0.5)
    assert "linear" not in knn_only.table() and "linear" not in knn_only.to_markdown()


@pytest.mark.parametrize("name", ["vit", "resnet"])
def test_rows_are_what_the_parts_give(name, processor):
    model = AutoModel.from_config(CONFIGS[name][0]).train()
    train, test = Images(60, classes=3, channels=1), Images(24, classes=3, channels=1, seed=1)
    result = evaluate_encoder(model, processor, train, test, k=5, seed=3, batch_size=16)
    assert model.training
    assert [row.name for row in result.rows] == ["raw pixels", "random init", "this encoder"]
    assert (result.num_train, result.num_test, result.num_classes) == (60, 24, 3)
    assert result.chance == pytest.approx(100 / 3)
    bank, queries = (preprocess(processor, dataset) for dataset in (train, test))
    expected = [raw_pixels(x) for x in (bank, queries)]
    assert result.row("raw pixels").knn == knn_accuracy(expected[0], train.labels, expected[1], test.labels, k=5)
    for row, encoder in (("random init", random_init_like(model, 3)), ("this encoder", model)):
        expected = [extract_features(encoder, None, x).embeddings for x in (bank, queries)]
        assert result.row(row).knn == knn_accuracy(expected[0], train.labels, expected[1], test.labels, k=5)
        assert result.row(row).dim == expected[0].shape[1]
    assert all(0 <= row.linear <= 100 for row in result.rows)
    assert result.row("raw pixels").linear == 100  # brightness is the class
    assert 1 <= result.effective_rank <= result.row().dim and 0 < result.feature_std <= 1.0001
    assert result == evaluate_encoder(model, processor, train, test, k=5, seed=3, batch_size=16)
    assert EvaluationReport.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_the_encoder_before(processor):
    torch.manual_seed(0)
    model, before = (AutoModel.from_config(CONFIGS["vit"][0]) for _ in range(2))
    train, test = Images(40, classes=3), Images(12, classes=3, seed=1)
    result = evaluate_encoder(model, processor, train, test, before=before, k=5, linear=False)
    assert [row.name for row in result.rows] == ["raw pixels", "random init", "before", "this encoder"]
    without = evaluate_encoder(before, processor, train, test, k=5, linear=False, baselines=False)
    assert result.row("before").knn == without.row().knn
    alone = evaluate_encoder(model, processor, train, test, before=before, k=5, baselines=False, linear=False)
    assert [row.name for row in alone.rows] == ["before", "this encoder"] and " before" in alone.verdict()


def test_options_and_subsets(processor):
    model = AutoModel.from_config(CONFIGS["vit"][0])
    data = Images(40)
    result = evaluate_encoder(
        model, processor, Subset(data, range(30)), Subset(data, range(30, 40)), k=5, linear=False, baselines=False
    )
    assert [(row.name, row.linear) for row in result.rows] == [("this encoder", None)]
    assert result.protocol["linear"] is None and result.num_train == 30


def test_clear_errors(processor):
    model = AutoModel.from_config(CONFIGS["vit"][0])
    with pytest.raises(ValueError, match="training set has no labels"):
        evaluate_encoder(model, processor, Images(30, labelled=False), Images(10))
    with pytest.raises(ValueError, match="test set has no labels"):
        evaluate_encoder(model, processor, Images(30), Images(10, labelled=False))
    for k in (11, 20, 0):
        with pytest.raises(ValueError, match=f"k = {k} neighbours, but the training set has 10 images"):
            evaluate_encoder(tiny_encoder(), processor, Images(10), Images(10), k=k)
    with pytest.raises(ValueError, match="temperature must be above 0"):
        evaluate_encoder(tiny_encoder(), processor, Images(10), Images(10), temperature=0)
    with pytest.raises(ValueError, match="test set is empty"):
        evaluate_encoder(model, processor, Images(30), Images(0))
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match="diverged"):
        evaluate_encoder(model, processor, Images(30), Images(10), baselines=False)
