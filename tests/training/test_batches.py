"""Batches fit the data, views never repeat by accident, and raw data sets are taken as they come."""

import datasets
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, SequentialSampler

from hf_ssl.data import TensorImages, as_image_dataset
from hf_ssl.training import SSLTrainer, SSLTrainingArguments, fit_batch
from hf_ssl.training.batches import WholeBatches, steps_in_epoch
from hf_ssl.training.collators import ViewCollator, batch_seed
from hf_ssl.training.places import NO_PLACE

from ..conftest import build_model, build_processor
from .test_resume import StopAt, build_trainer, images


@pytest.mark.parametrize(
    ("batch", "count", "processes", "least", "expected"),
    [(64, 1000, 1, 2, 64), (64, 12, 1, 2, 12), (64, 12, 4, 2, 3), (8, 8, 1, 1, 8), (8, 1, 1, 1, 1)],
)
def test_a_batch_is_no_larger_than_the_data(batch, count, processes, least, expected):
    assert fit_batch(batch, count, processes, least) == expected


@pytest.mark.parametrize(
    ("count", "processes", "least", "said"),
    [(1, 1, 2, "1 image, and training needs at least 2"), (0, 1, 1, "0 images"), (7, 4, 2, "use fewer processes")],
)
def test_too_few_images_are_refused(count, processes, least, said):
    with pytest.raises(ValueError, match=said):
        fit_batch(8, count, processes, least)


def build(folder, data, method="simclr", **arguments):
    arguments = {"per_device_train_batch_size": 4, "use_cpu": True, "disable_tqdm": True, "max_steps": 2, **arguments}
    args = SSLTrainingArguments(str(folder), save_strategy="no", **arguments)
    return SSLTrainer(build_model(method), args, build_processor(method), train_dataset=data)


def test_a_trainer_lowers_the_batch_and_says_so(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("hf_ssl.training.batches.logger.warning", said.append)
    trainer = build(tmp_path, images(6), per_device_train_batch_size=64, base_learning_rate=0.3)
    assert said == ["The data hold 6 images: per_device_train_batch_size is lowered from 64 to 6."]
    assert trainer.args.per_device_train_batch_size == 6 and trainer.args.learning_rate == 0.3 * 6 / 256
    trainer.train()
    assert trainer.state.global_step == 2 and trainer.state.epoch == 2


@pytest.mark.parametrize("method", ["byol", "simsiam"])
def test_heads_with_batch_norm_take_two_images(method, tmp_path):
    with pytest.raises(ValueError, match="images of a batch depend on each other: .* at least 2, got 1"):
        build(tmp_path, images(8), method, per_device_train_batch_size=1)
    with pytest.raises(ValueError, match="last batch of 9 images would hold 1, and .* needs 2"):
        build(tmp_path, images(9), method, dataloader_drop_last=False)
    build(tmp_path, images(2), method, max_steps=1).train()


def test_what_a_contrastive_method_cannot_learn_from(tmp_path):
    with pytest.raises(ValueError, match="The data hold 1 image, and training needs at least 2"):
        build(tmp_path, images(1))
    with pytest.raises(ValueError, match="must be at least 2, got 1"):
        build(tmp_path, images(8), per_device_train_batch_size=1)
    with pytest.raises(ValueError, match="last batch of 9 images would hold 1, and SimCLR.* needs 2"):
        build(tmp_path, images(9), dataloader_drop_last=False)
    build(tmp_path, images(9)).train()
    build(tmp_path, images(10), dataloader_drop_last=False, max_steps=3).train()
    build(tmp_path, images(1), "mae").train()


@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize(("count", "batch", "accumulation"), [(20, 4, 1), (20, 6, 2), (7, 2, 3), (5, 5, 4)])
def test_steps_of_an_epoch_are_those_of_the_trainer(count, batch, accumulation, drop_last, tmp_path):
    arguments = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulation}
    trainer = build(tmp_path, images(count), "mae", dataloader_drop_last=drop_last, **arguments)
    counted = trainer.set_initial_training_values(trainer.args, trainer.get_train_dataloader())
    assert trainer.steps_per_epoch == steps_in_epoch(count, trainer.args) == counted[1]


def test_the_learning_rate_follows_a_batch_that_fits_the_memory(tmp_path):
    trainer = build(tmp_path, images(20), "mae", base_learning_rate=0.256, auto_find_batch_size=True)
    trainer.create_optimizer_and_scheduler(10)
    assert trainer.optimizer.param_groups[0]["initial_lr"] == pytest.approx(0.004)
    trainer._update_auto_batch_size(2)
    trainer.create_optimizer_and_scheduler(10)
    assert trainer.effective()["batch_size"] == 2 and trainer.steps_per_epoch == 10
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.002)


class Numbers(IterableDataset):
    """Numbers `0 … count - 1`, every worker its own."""

    def __init__(self, count):
        self.count = count

    def __iter__(self):
        return iter(range(self.count))


@pytest.mark.parametrize(("count", "expected"), [(9, 8), (8, 8), (3, 3), (1, 0), (5, 4)])
def test_streams_give_whole_batches(count, expected):
    assert list(WholeBatches(Numbers(count), 4)) == list(range(expected))


def test_the_last_image_of_a_stream_is_no_batch(tmp_path):
    class Pixels(IterableDataset):
        def __iter__(self):
            return iter([images()[i]["image"] for i in range(9)])

    sizes = []
    trainer = build(tmp_path, as_image_dataset(Pixels()), max_steps=5)
    collate = trainer.data_collator
    trainer.data_collator = lambda samples: sizes.append(len(samples)) or collate(samples)
    trainer.train()
    assert set(sizes) == {4} and trainer.state.global_step == 5


class Seeds(ViewCollator):
    """Notes the seed of every batch."""

    seen: list

    def __call__(self, samples):
        batch = super().__call__(samples)
        self.seen.append(batch["view_seed"])
        return batch


class AlwaysTheFirst(SequentialSampler):
    """A sampler that draws with replacement, at its worst."""

    def __iter__(self):
        return iter([0] * len(self))


def seeds_of(
    folder,
    monkeypatch,
    method="mae",
    sampler: type | None = SequentialSampler,
    callbacks=None,
    resume=None,
    **arguments,
):
    seen = []
    monkeypatch.setattr(Seeds, "seen", seen, raising=False)
    monkeypatch.setattr("hf_ssl.training.trainer.ViewCollator", Seeds)
    values = {"views_on_device": True, "gradient_accumulation_steps": 1, "warmup_epochs": 0, **arguments}
    trainer = build_trainer(method, "vit", folder, callbacks=callbacks, **values)
    if sampler is not None:
        monkeypatch.setattr(trainer, "_get_train_sampler", sampler)
    trainer.train(resume_from_checkpoint=resume)
    return seen


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 4},
        {"per_device_train_batch_size": 20},
        {"sampler": None, "per_device_train_batch_size": 1},
        {"sampler": AlwaysTheFirst},
        {"sampler": AlwaysTheFirst, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 4},
    ],
    ids=str,
)
def test_no_view_comes_twice(arguments, tmp_path, monkeypatch):
    seen = seeds_of(tmp_path, monkeypatch, num_train_epochs=3, **arguments)
    assert len(seen) == len(set(seen)) == 3 * 20 // arguments.get("per_device_train_batch_size", 4)


@pytest.mark.parametrize("sampler", [SequentialSampler, AlwaysTheFirst, None])
@pytest.mark.parametrize("stop", [3, 5])  # inside an epoch of five batches, and at its end
def test_a_resumed_run_draws_the_views_it_would_have_drawn(stop, sampler, tmp_path, monkeypatch):
    whole = seeds_of(tmp_path / "whole", monkeypatch, sampler=sampler)
    seeds_of(tmp_path / "part", monkeypatch, sampler=sampler, callbacks=[StopAt(stop)])
    checkpoint = str(tmp_path / "part" / f"checkpoint-{stop}")
    assert seeds_of(tmp_path / "part", monkeypatch, sampler=sampler, resume=checkpoint) == whole[stop:]


def test_resuming_with_workers_is_exact(tmp_path):
    workers = {"dataloader_num_workers": 2}
    whole = build_trainer("mae", "vit", tmp_path / "whole")
    build_trainer("mae", "vit", tmp_path / "part", callbacks=[StopAt(2)], **workers).train()
    resumed = build_trainer("mae", "vit", tmp_path / "part", **workers)
    whole.train(), resumed.train(resume_from_checkpoint=str(tmp_path / "part" / "checkpoint-2"))
    expected = whole.model.state_dict()
    assert [n for n, t in resumed.model.state_dict().items() if not torch.equal(t, expected[n])] == []


def test_workers_that_outlive_an_epoch_see_the_next():
    collator = ViewCollator(build_processor("simclr"), make_views=False)
    loader = DataLoader(images(4), 2, collate_fn=collator, num_workers=1, persistent_workers=True)
    for epoch in (0, 1):
        collator.set_epoch(epoch)
        seeds = [batch["view_seed"] for batch in loader]
        assert seeds == [batch_seed(42, epoch, NO_PLACE, torch.tensor(index)) for index in ([0, 1], [2, 3])]


def test_the_views_of_an_evaluation_stay_the_same(tmp_path):
    args = SSLTrainingArguments(
        str(tmp_path), per_device_train_batch_size=4, eval_strategy="epoch", use_cpu=True,
        learning_rate=0.0, save_strategy="no", disable_tqdm=True, per_device_eval_batch_size=64,
    )  # fmt: skip
    trainer = SSLTrainer(
        build_model("mae"), args, build_processor("mae"), train_dataset=images(), eval_dataset=images(6)
    )
    trainer.train()
    losses = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
    assert len(losses) == 3 and len(set(losses)) == 1


class Photos(Dataset):
    """Pictures of several sizes, with labels: what a user of torch has."""

    def __init__(self, with_labels=False):
        self.with_labels = with_labels

    def __len__(self):
        return 6

    def __getitem__(self, index):
        pixels = np.random.default_rng(index).integers(0, 256, (40 + index, 40, 3), dtype=np.uint8)
        image = Image.fromarray(pixels)
        return (image, index % 2) if self.with_labels else image


def raw_data():
    pictures = [Photos()[i] for i in range(6)]
    return {
        "datasets": datasets.Dataset.from_dict({"image": pictures}, datasets.Features({"image": datasets.Image()})),
        "torch": Photos(),
        "torch with labels": Photos(with_labels=True),
        "list": pictures,
        "ours": TensorImages(torch.zeros(6, 3, 40, 40, dtype=torch.uint8)),
    }


@pytest.mark.parametrize("name", raw_data())
def test_data_sets_are_taken_as_they_come(name, tmp_path):
    data = raw_data()[name]
    args = SSLTrainingArguments(
        str(tmp_path), per_device_train_batch_size=3, max_steps=2, use_cpu=True, save_strategy="no", disable_tqdm=True
    )
    trainer = SSLTrainer(
        build_model("simclr"), args, build_processor("simclr"), train_dataset=data, eval_dataset={"other": data}
    )
    assert (trainer.train_dataset is data) == (name == "ours")
    trainer.train()
    metrics = trainer.evaluate()
    assert trainer.state.global_step == 2 and np.isfinite(metrics["eval_other_loss"])
    metrics = trainer.evaluate(data)
    assert np.isfinite(metrics["eval_loss"]) and ("eval_knn" in metrics) == (name == "torch with labels")


def test_a_dict_of_splits_is_nothing_to_train_on(tmp_path):
    with pytest.raises(ValueError, match="give one of its splits .train, test."):
        build(tmp_path, {"train": images(8), "test": images(4)})
