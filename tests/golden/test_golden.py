"""Repositories that were saved by earlier versions load as they were meant, and compute what they computed."""

import json

import pytest
import torch
from transformers import AutoImageProcessor, AutoModel, AutoModelForPreTraining

from hf_ssl.hub import validate_card
from hf_ssl.registry import METHODS

from ..clean_process import check_of, run_checks
from .make import EXPECTED, GOLDEN, measure, picture

NUMBERS = json.loads(EXPECTED.read_text(encoding="utf-8"))
golden = pytest.mark.parametrize("name", NUMBERS)


def test_there_is_one_of_every_method_of_the_first_version():
    folders = {path.name for path in GOLDEN.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert len(NUMBERS) >= 13 and folders == NUMBERS.keys() <= {*METHODS}


@golden
def test_every_weight_finds_its_place(name):
    whole = AutoModelForPreTraining.from_pretrained(GOLDEN / name, subfolder="pretraining", output_loading_info=True)
    root = AutoModel.from_pretrained(GOLDEN / name, output_loading_info=True)
    assert type(whole[0]) is METHODS[name].pretraining_class
    assert type(root[0]).__module__.startswith("transformers.models.")
    for _, report in (whole, root):
        assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), report


@golden
def test_it_computes_what_it_computed(name):
    found, expected = measure(GOLDEN / name), NUMBERS[name]
    assert found.keys() == expected.keys() and found["views"].keys() == expected["views"].keys()
    assert_near(found.pop("views"), expected["views"], tolerance=1e-5)
    for key, value in found.items():
        # In training, BatchNorms of four images blow the rounding of another processor up.
        assert_near({key: value}, expected, tolerance=1e-4 if key in ("training_loss", "gradient_norm") else 1e-5)


def assert_near(found, expected, tolerance):
    for key, value in found.items():
        difference = (torch.tensor(value) - torch.tensor(expected[key])).abs().max()
        assert difference <= tolerance * max(1.0, torch.tensor(expected[key]).abs().max()), key


@golden
@torch.no_grad()
def test_root_and_method_have_the_same_embedding(name):
    processor = AutoImageProcessor.from_pretrained(GOLDEN / name, subfolder="pretraining")
    assert type(processor) is METHODS[name].processor_class
    model = AutoModelForPreTraining.from_pretrained(GOLDEN / name, subfolder="pretraining").eval()
    embedding = model.encoder()(**processor(picture(), return_tensors="pt")).pooler_output[0]
    torch.testing.assert_close(embedding, torch.tensor(NUMBERS[name]["embedding"]), atol=1e-5, rtol=1e-5)


def test_their_cards_are_valid_and_true():
    cards = {name: (GOLDEN / name / "README.md").read_text(encoding="utf-8") for name in NUMBERS}
    assert {name: validate_card(card) for name, card in cards.items()} == dict.fromkeys(cards, [])
    found = run_checks([check_of(card, GOLDEN / name) for name, card in cards.items()])
    assert all(isinstance(difference, float) for difference in found), dict(zip(cards, found, strict=True))
