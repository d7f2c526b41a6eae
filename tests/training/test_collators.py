"""Views are the same wherever they are made, and nothing on the way to them waits for the device."""

import pytest
import torch

from hf_ssl.data import TensorImages
from hf_ssl.data.adapt import as_image_dataset
from hf_ssl.training import SSLTrainer, SSLTrainingArguments
from hf_ssl.training.collators import ViewCollator, batch_seed

from ..conftest import build_model, build_processor
from .test_resume import build_trainer


@pytest.mark.parametrize("method", ["simclr", "deepcluster_v2", "supervised", "mae"])
def test_views_of_the_trainer_are_those_of_the_loader(method, tmp_path):
    there = build_trainer(method, "vit", tmp_path / "there")
    here = build_trainer(method, "vit", tmp_path / "here", views_on_device=True)
    there.train(), here.train()
    assert here.data_collator.make_views is False and there.data_collator.make_views is True
    for name, value in there.model.state_dict().items():
        assert torch.equal(value, here.model.state_dict()[name]), name


def test_raw_batches_hold_no_tensor_that_has_to_come_back():
    samples = [{"image": torch.zeros(3, 40, 30 + i, dtype=torch.uint8), "index": 7 + i} for i in range(3)]
    batch = ViewCollator(build_processor("simclr"), seed=3, make_views=False)(samples)
    assert batch.keys() == {"images", "view_seed"} and len(batch["images"]) == 3
    assert batch["view_seed"] == batch_seed(3, 0, torch.tensor([7, 8, 9]))
    others = [(4, 0, [7, 8, 9]), (3, 1, [7, 8, 9]), (3, 0, [8, 7, 9]), (3, 0, [7, 8])]
    seeds = {batch_seed(seed, epoch, torch.tensor(index)) for seed, epoch, index in others}
    assert len(seeds | {batch["view_seed"]}) == 5


def test_copies_to_the_device_overlap_where_memory_is_pinned(tmp_path):
    for pinned in (True, False):
        args = SSLTrainingArguments(str(tmp_path), dataloader_pin_memory=pinned, use_cpu=True)
        assert args.accelerator_config.non_blocking is pinned
    args = SSLTrainingArguments(str(tmp_path), accelerator_config={"even_batches": False}, use_cpu=True)
    assert args.accelerator_config.non_blocking is False  # what the user says, and no more


def test_a_stream_shared_by_processes_is_made_into_views_by_the_loader(tmp_path, monkeypatch):
    def build(**arguments):
        args = SSLTrainingArguments(
            str(tmp_path), per_device_train_batch_size=2, max_steps=1, use_cpu=True, **arguments
        )
        return SSLTrainer(build_model("simclr"), args, build_processor("simclr"), train_dataset=stream)

    class Pixels(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(TensorImages(torch.zeros(4, 3, 32, 32, dtype=torch.uint8))[i]["image"] for i in range(4))

    stream = as_image_dataset(Pixels())
    assert build(views_on_device=True).data_collator.make_views is False
    monkeypatch.setattr(SSLTrainingArguments, "world_size", 2)
    assert build().data_collator.make_views
    with pytest.raises(ValueError, match="views_on_device"):
        build(views_on_device=True)
