"""What a run says of its length, and why it has learnt little."""

import sys
from types import SimpleNamespace

import pytest

from hf_ssl.cli.messages import announcement, duration, why_little
from hf_ssl.cli.plan import Choice, Costs
from hf_ssl.registry import METHODS

from ..conftest import build_model


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (400, "7 min"), (12_600, "3.5 h")])
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("has_learnt", "steps", "said"),
    [(False, 100, True), (True, 100, False), (False, 3200, False)],
)
def test_few_steps_are_named_as_the_reason_with_the_command_that_helps(has_learnt, steps, said, monkeypatch):
    monkeypatch.setattr(
        sys, "argv", "hf-ssl pretrain --data my photos --max-steps 100 --minutes=1 --overwrite".split()
    )
    run = SimpleNamespace(
        costs=Costs(step=0.1, read_image=0.0, embedded_image=0.0, probed_image=0.0, keeps_images=True),
        wanted_steps=3200,
        steps=steps,
        images_read_a_step=32,
        images=600,
    )
    sentence = why_little(run, SimpleNamespace(has_learnt=has_learnt))
    assert (sentence is not None) == said
    if said:  # 320 seconds, and as much again for what is beside
        assert "100 of the 3200" in sentence and sentence.endswith(": hf-ssl pretrain --data my photos --minutes 9")


@pytest.mark.parametrize(("method", "said"), [("videomae", "Clips at 32 pixels"), ("audiomae", "Sounds as ")])
def test_samples_are_called_what_they_are(method, said):
    model = build_model(method)
    run = SimpleNamespace(
        model=model,
        choices={"image_size": Choice(32, "as asked"), "backbone": Choice("vit-nano", "of the recipe")},
        recipe_name="photos",
        recipe=SimpleNamespace(description="short"),
        costs=None,
        images=None,
        args=SimpleNamespace(max_steps=2),
    )
    facts = {"batch_size": 4, "epochs": None}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hf_ssl.cli.messages.describe", lambda effective: "AdamW")
        text = announcement(METHODS[method], SimpleNamespace(summary=list), run, facts)
    assert said in text and "mages" not in text
