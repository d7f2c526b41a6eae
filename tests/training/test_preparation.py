"""A model looks at the data once, before the first step of a new run."""

import pytest
import torch

from hf_ssl.data import ImageStream
from hf_ssl.training.collators import SequentialData, ViewCollator

from ..conftest import IMAGES, build_model, build_processor
from .test_resume import StopAt, build_trainer, images


def counting(trainer):
    """Let the model of a trainer count its images before it learns, and remember when."""
    seen = []

    def prepare(data):
        random = torch.get_rng_state()
        assert trainer.state.global_step == 0 and data.num_samples == IMAGES
        seen.append(sum(len(batch["pixel_values"]) for batch in data.batches()))
        assert torch.equal(torch.get_rng_state(), random)

    trainer.model.prepare = prepare
    return seen


def test_once_in_a_new_run_and_never_in_one_that_goes_on(tmp_path):
    trainer = build_trainer("simclr", "vit", tmp_path, callbacks=[StopAt(2)])
    seen = counting(trainer)
    trainer.train()
    assert seen == [IMAGES]
    resumed = build_trainer("simclr", "vit", tmp_path)
    seen = counting(resumed)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert seen == [] and resumed.state.global_step == 6


class Counted(ImageStream):
    """Ten images without a length."""

    def __init__(self):
        self.images = images(10)

    def __iter__(self):
        return iter(self.images[i] for i in range(10))


@pytest.mark.parametrize("stream", [False, True])
def test_every_pass_is_made_anew(stream):
    dataset = Counted() if stream else images(10)
    collator = ViewCollator(build_processor("simclr"), extras=("sample_index",))
    data = SequentialData(dataset, collator, 4, 0, lambda batch: batch)
    assert data.num_samples == (None if stream else 10)
    first, second = list(data.batches()), list(data.batches())
    assert [len(batch["sample_index"]) for batch in first] == [4, 4, 2]
    for one, other in zip(first, second, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)
        assert build_model("simclr").eval()(one["pixel_values"]).loss.isfinite()
