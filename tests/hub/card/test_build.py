"""The card says what is known, nothing else, and its code runs."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from PIL import Image

from hf_ssl.encoders import encoder_for
from hf_ssl.evaluation import EvaluationReport, EvaluationRow
from hf_ssl.hub import export_pretrained
from hf_ssl.hub.card.build import build_card, validate_card
from hf_ssl.hub.card.sections import results_table
from hf_ssl.modalities import pipeline_tag_of
from hf_ssl.registry import METHODS

from ...conftest import CASES, build_model, build_processor

REPORT = EvaluationReport(
    rows=[
        EvaluationRow("raw pixels", 1024, 20.125, 25.5),
        EvaluationRow("random init", 48, 31.25, 40.0),
        EvaluationRow("this encoder", 48, 63.28125, 70.15625),
    ],
    num_train=6400,
    num_test=1600,
    num_classes=16,
    chance=6.25,
    effective_rank=20.5,
    feature_std=0.5,
    protocol={"k": 20, "temperature": 0.07, "linear": "L-BFGS", "raw_pixels_max_side": None, "seed": 0},
)
RUN = {
    "command": "hf-ssl pretrain simclr --num_train_epochs 20",
    "seed": 7,
    "steps": 1234,
    "epochs": 20.0,
    "batch_size": 128,
    "seconds": 252.0,
    "images_per_second": 911.5,
    "hardware": "CPU, 2 cores, 2 threads",
    "versions": {"torch": "2.13.0", "transformers": "5.23.0"},
    "dataset": "photo-patches",
    "dataset_description": "Grey patches; costs $5: nothing.",
    "base_model": None,
    "training_arguments": {"learning_rate": 0.001, "optim": "adamw_torch"},
    "doctor": ["The embeddings use 1.5 of 48 dimensions."],
    "resumed_from": 0,
}


SUPERVISION = {
    "supervised": ("with labels", "supervised-learning"),
    "fixmatch": ("with few labels", "semi-supervised-learning"),
    "clip": ("with captions", "self-supervised-learning"),
}


def card(method="simclr", backbone=None, results=None, run=None, figures=(), **kwargs) -> str:
    model, processor = build_model(method, backbone), build_processor(method)
    return build_card(METHODS[method], model, processor, results=results, run=run, figures=list(figures), **kwargs)


def front_matter(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


@pytest.mark.parametrize("method", METHODS)
def test_a_full_card_is_valid(method):
    text = card(method, results=REPORT.to_dict(), run=RUN, figures=["figures/curve.png"], repo_id="me/mine")
    assert validate_card(text) == []
    data = front_matter(text)
    assert data["license"] == "apache-2.0" and data["library_name"] == "transformers"
    assert data["pipeline_tag"] == pipeline_tag_of(METHODS[method].processor_class.sample_keys)
    words, tag = SUPERVISION.get(method, ("without labels", "self-supervised-learning"))
    assert {tag, "hf_ssl", method} <= set(data["tags"]) and f" encoder trained {words} by [" in text
    assert f"https://arxiv.org/abs/{METHODS[method].info.paper}" in text
    assert "![Loss, and kNN accuracy of the encoder, over the training run](figures/curve.png)" in text
    for fact in ("1234", "911.5", "CPU, 2 cores", "torch 2.13.0", "4.2 minutes", "adamw_torch", RUN["command"]):
        assert fact in text
    assert RUN["doctor"][0] in text and RUN["dataset_description"] in text
    assert "$" not in text.replace("$5", "") and "None" not in text


def test_the_model_index_is_the_results():
    data = ModelCard(card(results=REPORT.to_dict(), run=RUN, repo_id="me/mine")).data
    assert data.model_name == "mine"
    assert [(r.metric_name, r.metric_value) for r in data.eval_results] == [
        ("kNN accuracy, %", 63.28125),
        ("linear probe accuracy, %", 70.15625),
    ]
    for result in data.eval_results:
        assert (result.dataset_name, result.dataset_split, result.metric_type) == ("photo-patches", "test", "accuracy")
    assert data.eval_results[0].metric_args == {"k": 20, "temperature": 0.07}


def test_the_results_table_and_the_verdict():
    text = card(results=REPORT.to_dict(), run=RUN)
    for row in ("| raw pixels | 20.1 | 25.5 | 1024 |", "| **this encoder** | **63.3** | **70.2** | **48** |"):
        assert row in text
    assert REPORT.verdict() in text


def test_collapse_in_words():
    text = card(results=REPORT.to_dict(), run=RUN)
    assert "**Effective rank 20.5** of 48: in so many independent directions" in text
    assert "**Spread 0.50** (`feature_std`)" in text and f"**The doctor found:** {RUN['doctor'][0]}" in text
    assert "found nothing" not in text
    assert "found nothing" in card(run={"doctor": []}) and "switched off" in card(run={"doctor": None})
    assert "doctor" not in card(results=REPORT.to_dict(), run={"seed": 1})


def test_a_run_that_was_picked_up_says_so():
    text = card(run=RUN | {"resumed_from": 500})
    assert "| wall time | 4.2 minutes, from step 500 on, where it was picked up |" in text
    assert "picked up" not in card(run=RUN | {"resumed_from": 0})


def test_details_of_the_licence_stay():
    own = "license: other\nlicense_name: mine\nlicense_link: LICENSE"
    edited = card().replace("license: apache-2.0", own)
    kept = front_matter(card(existing=edited, license="other"))
    assert (kept["license"], kept["license_name"], kept["license_link"]) == ("other", "mine", "LICENSE")
    assert "license_name" not in front_matter(card(existing=edited, license="mit"))


def test_missing_parts_have_no_section():
    text = card()
    assert validate_card(text) == []
    assert "model-index" not in front_matter(text) and "datasets" not in front_matter(text)
    for heading in ("## Results", "## Has it collapsed?", "## Training", "## Pictures", "Trained on"):
        assert heading not in text
    assert "Nothing was measured" in text
    some = card(run={"seed": 3, "seconds": None, "versions": {}})
    assert "| seed | 3 |" in some and "wall time" not in some and "versions" not in some and "hardware" not in some


def test_minimal_results():
    text = card(results={"rows": [{"name": "this encoder", "knn": 50.0}, {"name": "raw pixels", "knn": float("nan")}]})
    assert validate_card(text) == []
    assert [r.metric_value for r in ModelCard(text).data.eval_results] == [50.0]
    assert "Verdict" not in text
    without_us = card(results={"rows": [{"name": "raw pixels", "knn": 50.0}]})
    assert "model-index" not in front_matter(without_us) and "| raw pixels | 50.0 |" in without_us


def test_hub_ids_are_linked_and_folders_are_not(tmp_path, monkeypatch):
    data = front_matter(card(run={"dataset": "owner/pictures:small", "base_model": "facebook/dinov2-small"}))
    assert data["datasets"] == ["owner/pictures"] and data["base_model"] == "facebook/dinov2-small"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "one").mkdir(parents=True)
    for local in ("runs/one", "/home/me/encoder", "./encoder"):
        data = front_matter(card(run={"dataset": "pictures", "base_model": local}))
        assert "datasets" not in data and "base_model" not in data


def test_notes_survive():
    first = card(results=REPORT.to_dict(), run=RUN)
    notes = "\n\nMine: \\1 $title <b>bold</b>\n\n\n\n---\n\n```\ncode\n```\n"
    edited = first.replace("<!-- notes -->\n<!-- /notes -->", f"<!-- notes -->{notes}<!-- /notes -->")
    second = card("dino", existing=edited)
    assert f"<!-- notes -->{notes}<!-- /notes -->" in second and validate_card(second) == []
    assert card("dino", existing=second) == second  # a rewrite changes nothing
    assert card(existing="# no notes here\n") == card()


@pytest.mark.parametrize("torn", ["<!-- notes -->\nmine", "mine <!-- /notes -->", "<!-- /notes -->a<!-- notes -->"])
def test_torn_notes_raise_rather_than_vanish(torn):
    with pytest.raises(ValueError, match="pair"):
        card(existing=torn)


def test_no_secret_of_the_command_line_is_published():
    command = "hf-ssl pretrain --hub_token abc123 --push_to_hub_token=def456 --seed 1 x hf_" + "a" * 30
    text = card(run={"command": command})
    assert "--hub_token *** --push_to_hub_token=*** --seed 1 x ***" in text
    assert not any(secret in text for secret in ("abc123", "def456", "aaaa"))


GOOD = "---\nlicense: mit\nlibrary_name: transformers\npipeline_tag: image-feature-extraction\n---\n\n# x\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# x\n", "no YAML front matter"),
        ("---\n- a\n- b\n---\n", "must be a mapping"),
        ("---\na: [1\n---\n", "not YAML"),
        ("---\na: " + "[" * 300 + "\n---\n", "nested deeper than 100 levels"),
        (GOOD.replace("mit", "12"), "license must be text, got 12"),
        (GOOD.replace("mit", "apache-2"), "none that the Hub knows. Did you mean 'apache-2.0'?"),
        (GOOD.replace("license: mit\n", ""), "license must be text"),
        (GOOD.replace("library_name: transformers\n", ""), "library_name must be text"),
        (GOOD.replace("image-feature-extraction", "mind-reading"), "'mind-reading' is no task"),
        (GOOD.replace("---\n\n", "tags: ssl\n---\n\n"), "tags must be a list"),
        (GOOD.replace("---\n\n", "model-index: []\n---\n\n"), "model-index cannot be read"),
        (GOOD.replace("---\n\n", "model-index: 3\n---\n\n"), "model-index cannot be read"),
        (GOOD.replace("---\n\n", "model-index:\n- name: x\n---\n\n"), "model-index cannot be read: KeyError"),
        (GOOD + "<!-- notes -->", "do not pair up"),
    ],
)
def test_validate_card_finds(text, problem):
    assert validate_card(GOOD) == []
    problems = validate_card(text)
    assert len(problems) == 1 and problem in problems[0]


def test_validate_card_finds_numbers_that_are_none():
    text = card(results=REPORT.to_dict(), run=RUN)
    for value in (".nan", "'63'", "true"):
        problems = validate_card(text.replace("value: 63.28125", f"value: {value}"))
        assert len(problems) == 1 and "not a number" in problems[0]


SENTENCES = {
    "vit": (
        "the CLS token after the final norm (the pooler is the identity)",
        lambda model, hidden: hidden[:, 0],
    ),
    "clip_vision_model": (
        "the CLS token after the final norm",
        lambda model, hidden: model.post_layernorm(hidden[:, 0]),
    ),
    "videomae": ("the mean of all tubelets after the final norm", lambda model, hidden: hidden.mean(1)),
    "audio-spectrogram-transformer": (
        "the mean of the CLS and the distillation token after the final norm",
        lambda model, hidden: hidden[:, :2].mean(1),
    ),
    "dinov2": ("the CLS token after the final norm", lambda model, hidden: hidden[:, 0]),
    "resnet": ("the spatial mean of the last feature map", lambda model, hidden: hidden.mean((2, 3))),
    "swin": ("the mean of the last stage's tokens, after the final norm", lambda model, hidden: hidden.mean(1)),
    "convnext": (
        "the final norm of the spatial mean of the last feature map",
        lambda model, hidden: model.layernorm(hidden.mean((2, 3))),
    ),
}
MEAN = (
    "the final norm of the mean of the patch tokens",
    lambda model, hidden: model.pooler.layernorm(hidden[:, 1:].mean(1)),
)


@pytest.mark.parametrize(("method", "backbone"), CASES)
def test_the_embedding_is_what_the_card_says(method, backbone):
    model = build_model(method, backbone)
    native = model.native_encoder()
    sentence, compute = MEAN if model.config.pooling == "mean" else SENTENCES[backbone]
    text = card(method, backbone)
    assert f": {sentence}. **This is the embedding" in text
    assert f"It is a `{type(native).__name__}` of" in text
    with torch.no_grad():
        outputs = native(encoder_for(model.config.backbone_config).example(32))
    code = encoder_for(model.config.backbone_config).contract(model.config.pooling).code
    pooled = eval(code, {"outputs": outputs})
    assert f"`{code}`, shape (batch, {pooled.shape[1]})" in text and f"embedding = {code}  #" in text
    torch.testing.assert_close(pooled, compute(native, outputs.last_hidden_state))


@pytest.mark.parametrize(("method", "backbone"), [("simclr", "resnet"), ("mae", "vit"), ("fixmatch", "resnet")])
def test_the_code_of_the_card_runs(method, backbone, tmp_path, monkeypatch):
    model, processor = build_model(method, backbone), build_processor(method)
    monkeypatch.chdir(tmp_path)
    text = card(method, backbone, repo_id="me/mine")
    export_pretrained(model, processor, "me/mine", text)
    Image.fromarray(np.zeros((40, 50), dtype=np.uint8)).save("image.jpg")
    names = {}
    for code in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(code, names)
    assert names["embedding"].shape == (1, model.native_encoder().config.hidden_size if method == "mae" else 32)
    assert type(names["model"]) is type(model) and type(names["processor"]) is type(processor)
    assert names["processor"].to_dict() == processor.to_dict()
    assert (method == "fixmatch") == ("classifier" in names)
    if method == "fixmatch":
        assert names["logits"].shape == (1, model.config.num_labels)


def test_the_row_before_and_the_notes_of_an_evaluation():
    rows = [EvaluationRow("before", 48, 40.0, 50.0), *REPORT.rows]
    notes = ["7 of 1607 test images have no label and are left out."]
    results = replace(REPORT, rows=rows, notes=notes).to_dict()
    text = results_table(results, "image")
    assert "| before | 40.0 | 50.0 | 48 |" in text
    assert "\n\nThe row before is the encoder that training started from. 7 of 1607 test images have no" in text
    assert "**Verdict:** better than before by 23.3, raw pixels by 43.2" in text
    old = REPORT.to_dict()
    del old["notes"]
    assert "**Verdict:** better than raw pixels" in results_table(old, "image") and "row before" not in results_table(
        old, "image"
    )
    assert "Verdict" not in results_table({"rows": old["rows"]}, "image")
