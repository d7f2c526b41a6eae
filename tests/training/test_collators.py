"""Views are the same wherever they are made, and nothing on the way to them waits for the device."""

import pytest
import torch
from torch.utils.data import DataLoader, SequentialSampler

from hf_ssl.data import TensorImages
from hf_ssl.data.adapt import as_image_dataset
from hf_ssl.processing_utils import SSLProcessorMixin
from hf_ssl.training import SSLTrainer, SSLTrainingArguments
from hf_ssl.training.collators import ViewCollator, batch_seed
from hf_ssl.training.places import NO_PLACE, PlacedSampler, PlacedSamples

from ..conftest import build_model, build_processor
from .test_resume import build_trainer, images


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
    assert batch.keys() == {"image", "view_seed"} and len(batch["image"]) == 3
    assert batch["view_seed"] == batch_seed(3, 0, NO_PLACE, torch.tensor([7, 8, 9]))
    others = [
        (4, 0, NO_PLACE, [7, 8, 9]),
        (3, 1, NO_PLACE, [7, 8, 9]),
        (3, 0, 5, [7, 8, 9]),
        (3, 0, NO_PLACE, [8, 7, 9]),
        (3, 0, NO_PLACE, [7, 8]),
    ]
    seeds = {batch_seed(*start, torch.tensor(index)) for *start, index in others}
    seeds.add(batch_seed(3, 0, NO_PLACE, torch.tensor([7, 8, 9]), process=1))
    assert len(seeds | {batch["view_seed"]}) == 7


def test_the_place_of_a_batch_is_that_of_its_first_sample():
    data, order = PlacedSamples(images(10)), PlacedSampler(SequentialSampler(range(10)))
    loader = DataLoader(data, 4, sampler=order, collate_fn=ViewCollator(build_processor("simclr"), make_views=False))
    expected = [batch_seed(42, 0, i, torch.arange(i, min(i + 4, 10))) for i in (0, 4, 8)]
    assert len(order) == 10 and [batch["view_seed"] for batch in loader] == expected
    assert [sample["place"] for sample in data.__getitems__([(7, 1), (8, 1)])] == [7, 8]


def test_samples_go_by_the_keys_of_the_processor():
    class Pairs(SSLProcessorMixin):
        sample_keys = ("image", "text")
        scale: float = 2.0

        def draw_views(self, samples, generator):
            noise = torch.rand(len(samples["text"]), generator=generator)
            return {"pixel_values": self.scale * samples["image"].float(), "noise": noise}

        def draw_masks(self, batch, generator):
            return {"bool_masked_pos": torch.rand(batch, 4, generator=generator) < 0.5}

    processor = Pairs()
    processor.take_view_attributes({"scale": 3.0})
    samples = [{"image": torch.ones(3, 2, 2), "text": "a cat", "index": i, "label": i} for i in range(2)]
    batch = ViewCollator(processor, seed=1, extras=("sample_index",))(samples)
    assert batch.keys() == {"pixel_values", "noise", "bool_masked_pos", "sample_index"}
    assert (batch["pixel_values"] == 3).all() and batch["bool_masked_pos"].shape == (2, 4)
    raw = ViewCollator(processor, seed=1, make_views=False)(samples)
    assert raw["text"] == ["a cat"] * 2 and torch.equal(processor.views_of(raw)["noise"], batch["noise"])
    with pytest.raises(ValueError, match="Pairs.views takes image, text, got image: name the samples"):
        processor.views(image=raw["image"], generator=torch.Generator())


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
