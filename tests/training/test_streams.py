"""Two streams in one batch: which images have a label, in what order they come, and what is refused."""

import pytest
import torch
from accelerate.data_loader import prepare_data_loader
from torch.utils.data import DataLoader, SequentialSampler

from hf_ssl.data import TensorImages
from hf_ssl.data.few_labels import draw_labelled
from hf_ssl.training import SSLTrainer, SSLTrainingArguments
from hf_ssl.training.batches import whole_groups
from hf_ssl.training.places import PlacedSampler
from hf_ssl.training.run_record import RunRecord
from hf_ssl.training.streams import TwoStreamSampler, TwoStreamSamples

from ..conftest import build_model, build_processor
from .test_resume import images

LABELLED = torch.tensor([3, 7, 11])


def sampler_of(count=24, unlabelled=3, seed=0, labelled=LABELLED):
    return TwoStreamSampler(SequentialSampler(range(count)), labelled, unlabelled, seed)


def build(folder, method="fixmatch", data=None, unlabelled=1, **arguments):
    usual = {"per_device_train_batch_size": 4, "max_steps": 2, "save_strategy": "no", "logging_steps": 1}
    args = SSLTrainingArguments(str(folder), use_cpu=True, disable_tqdm=True, **usual | arguments)
    fields = {"unlabelled_per_label": unlabelled} if method == "fixmatch" else {}
    data = images() if data is None else data
    return SSLTrainer(build_model(method, **fields), args, build_processor(method), train_dataset=data)


def partly_labelled(count=20):
    pixels = torch.randint(0, 256, (count, 3, 36, 36), dtype=torch.uint8)
    return TensorImages(pixels, labels=[i % 2 if i % 3 == 0 else -1 for i in range(count)])


@pytest.mark.parametrize("unlabelled", [1, 3, 7])
def test_a_group_is_a_labelled_image_and_then_others(unlabelled):
    order, step = list(sampler_of(unlabelled=unlabelled)), 1 + unlabelled
    assert len(order) == 24 and set(order[::step]) <= set(LABELLED.tolist())
    rest = [index for place, index in enumerate(order) if place % step]
    assert rest == list(range(len(rest)))  # each image once, the labelled ones among them


def test_labelled_images_are_drawn_with_replacement_and_anew_in_every_epoch():
    sampler = sampler_of(unlabelled=0, count=3000)
    epochs = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
        counts = torch.tensor(epochs[-1]).bincount()[LABELLED]
        assert ((counts - 1000).abs() < 120).all()  # 4.6 standard deviations
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    sampler.set_epoch(1)
    assert list(sampler) == epochs[1] and list(sampler_of(unlabelled=0, count=3000, seed=1)) != epochs[0]


def test_processes_share_the_groups_of_an_epoch():
    data = TwoStreamSamples(images(24), 3)
    loaded = []
    for world, batch in ((1, 8), (2, 4)):
        for process in range(world):
            loader = DataLoader(data, batch_size=batch, shuffle=True, drop_last=True, collate_fn=list)
            loader = prepare_data_loader(loader, num_processes=world, process_index=process, use_seedable_sampler=True)
            loader.set_sampler(PlacedSampler(TwoStreamSampler(loader.get_sampler(), LABELLED, 3, 0)))
            loader.set_epoch(2)
            loaded.append([[(s["place"], s["index"], s["label"]) for s in batch] for batch in loader])
    one, *two = loaded
    assert [a + b for a, b in zip(*two, strict=True)] == one and len(one) == 3
    for batch in (*one, *two[0], *two[1]):
        assert [label >= 0 for _, _, label in batch] == [True, False, False, False] * (len(batch) // 4)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_trainer_hides_the_labels_of_the_unlabelled_stream(tmp_path, workers):
    trainer = build(tmp_path, labels_per_class=2, dataloader_num_workers=workers)
    trainer.model.data_columns = trainer.data_collator.extras = ("labels", "sample_index")
    seen = [batch for _ in range(2) for batch in trainer.get_train_dataloader()]
    allowed = trainer.about["labelled_images"]
    assert len(seen) == 10 and len(allowed) == 4
    for batch in seen:
        assert batch["labels"].shape == (4,) and batch["pixel_values"].shape[:2] == (4, 2)
        assert (batch["labels"][1::2] == -1).all()
        assert batch["labels"][::2].tolist() == [index % 2 for index in batch["sample_index"][::2].tolist()]
        assert set(batch["sample_index"][::2].tolist()) <= set(allowed)


def test_few_labels_of_a_supervised_method_are_all_it_sees(tmp_path):
    trainer = build(tmp_path, "supervised", labels_per_class=1)
    trainer.data_collator.extras = ("labels", "sample_index")
    batches = list(trainer.get_train_dataloader())
    drawn = {index for batch in batches for index in batch["sample_index"].tolist()}
    assert drawn == set(trainer.about["labelled_images"]) and len(drawn) == 2 and len(batches) == 5
    assert all((batch["labels"] >= 0).all() for batch in batches)


def test_partly_labelled_images_are_enough_for_two_streams(tmp_path):
    trainer = build(tmp_path, data=partly_labelled())
    assert trainer.labelled.tolist() == list(range(0, 20, 3)) and "labelled_images" not in trainer.about
    trainer.train()
    assert trainer.state.log_history[-2]["pseudo_label_share"] >= 0
    with pytest.raises(ValueError, match="13 of these 20 images have none"):
        build(tmp_path, "supervised", data=partly_labelled())
    with pytest.raises(ValueError, match="learns from labels, and these data have none"):
        build(tmp_path, data=TensorImages(images().images))


def test_the_draw_is_of_each_class_and_nested():
    labels = torch.tensor([0, 1, 2, -1] * 10)
    few, more = draw_labelled(labels, 2, seed=0), draw_labelled(labels, 5, seed=0)
    assert labels[few].bincount().tolist() == [2, 2, 2] and set(few.tolist()) < set(more.tolist())
    assert few.tolist() == sorted(few.tolist()) == draw_labelled(labels, 2, seed=0).tolist()
    assert few.tolist() != draw_labelled(labels, 2, seed=1).tolist()
    with pytest.raises(ValueError, match="labels_per_class is 11, but the class 'cat' has 10 labels: ask for at most"):
        draw_labelled(labels, 11, seed=0, names=["cat", "dog", "owl"])


def test_the_record_names_the_labelled_images_and_a_resume_needs_the_same(tmp_path):
    trainer = build(tmp_path, labels_per_class=2, labels_seed=3, save_strategy="steps", save_steps=1)
    trainer.train()
    record = RunRecord.from_trainer(trainer).run
    assert record["labelled_images"] == draw_labelled(images().labels, 2, seed=3).tolist()
    assert record["training_arguments"]["labels_per_class"] == 2 and record["training_arguments"]["labels_seed"] == 3
    assert record["effective"]["lr_scheduler_type"] == "shallow_cosine"
    other = build(tmp_path, labels_per_class=2, labels_seed=4, max_steps=4)
    with pytest.raises(ValueError, match="other training images, or other labels of them"):
        other.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))


def test_what_two_streams_refuse(tmp_path):
    with pytest.raises(ValueError, match="labels_per_class=2 has no effect on SimCLR.* uses no labels: leave it out"):
        build(tmp_path, "simclr", labels_per_class=2)
    with pytest.raises(ValueError, match="labels_seed=1 has no effect with labels_per_class=None"):
        build(tmp_path, labels_seed=1)
    with pytest.raises(ValueError, match="1 labelled image and 3 without a label: .* multiple of 4, got 6"):
        build(tmp_path, unlabelled=3, per_device_train_batch_size=6)
    with pytest.raises(ValueError, match="leave dataloader_drop_last at True"):
        build(tmp_path, dataloader_drop_last=False)
    with pytest.raises(ValueError, match="leave auto_find_batch_size at False"):
        build(tmp_path, auto_find_batch_size=True)
    with pytest.raises(ValueError, match="hold 3 images, and training needs at least 4"):
        build(tmp_path, unlabelled=3, data=images(3))


def test_a_batch_is_lowered_to_whole_groups(tmp_path):
    assert build(tmp_path, unlabelled=2, per_device_train_batch_size=60).args.per_device_train_batch_size == 18
    model = build_model("fixmatch", unlabelled_per_label=4)
    assert [whole_groups(batch, model) for batch in (64, 5, 3)] == [60, 5, 5]
