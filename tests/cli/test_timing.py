"""Timing steps changes nothing, and a batch is halved until it fits."""

import pytest
import torch

from hf_ssl.cli.timing import largest_batch, seconds_per_evaluated_image, seconds_per_step, seconds_to_prepare
from hf_ssl.registry import METHODS
from hf_ssl.testing import Examples
from hf_ssl.training import SSLTrainingArguments

from ..conftest import IMAGES, build_model, build_processor


@pytest.mark.parametrize("method", METHODS)
def test_timing_leaves_the_model_and_the_random_state_as_they_were(method, tmp_path):
    model, processor = build_model(method), build_processor(method)
    samples = Examples(processor)
    model.size_for(IMAGES)
    arguments = SSLTrainingArguments(str(tmp_path), per_device_train_batch_size=4, use_cpu=True)
    before, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    step, read = seconds_per_step(model, processor, samples, arguments)
    embedded, probed = seconds_per_evaluated_image(model, processor, samples, arguments, classes=2)
    assert step > 0 and read > 0 and embedded > 0 and probed > 0
    assert (seconds_to_prepare(model, processor, samples, arguments) > 0) == (method in ("beit", "deepcluster_v2"))
    after = model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(state, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_batch_is_halved_until_it_fits():
    tried = []

    def attempt(batch):
        tried.append(batch)
        if batch > 16:
            raise torch.OutOfMemoryError
        return "seconds"

    assert largest_batch(64, 2, attempt) == (16, "seconds") and tried == [64, 32, 16]
    with pytest.raises(ValueError, match="Not even a batch of 32 fits into the memory of the device"):
        largest_batch(64, 32, attempt)
