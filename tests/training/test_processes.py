"""Several processes train as one: what they log, find, evaluate and refuse is the same in all."""

import os

import pytest
import torch
from transformers import TrainerCallback

from hf_ssl.cli.assemble import decide_as_first_process
from hf_ssl.data import TensorImages
from hf_ssl.evaluation import effective_rank
from hf_ssl.nn.batch_norm import SyncBatchNorm
from hf_ssl.nn.parameter_groups import Treatment, grouped
from hf_ssl.registry import METHODS
from hf_ssl.training import SSLTrainer, SSLTrainingArguments
from hf_ssl.training.doctor import Doctor
from hf_ssl.training.processes import mean_logs, require_same
from hf_ssl.training.same_data import fingerprint

from ..conftest import build_model, build_processor
from ..processes import each, in_processes
from .test_resume import StopAt

WORLD = 2


def images(count=24):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return TensorImages(pixels, labels=[i % 2 for i in range(count)])


def build(folder, method="simclr", backbone="vit", count=24, test=None, **arguments):
    arguments = {
        "per_device_train_batch_size": 8 // WORLD, "per_device_eval_batch_size": 4, "max_steps": 4, "logging_steps": 1,
        "save_strategy": "no", "disable_tqdm": True, "learning_rate": 1e-2, "lr_scheduler_type": "constant",
    } | arguments  # fmt: skip
    model = build_model(method, backbone)
    return SSLTrainer(model, SSLTrainingArguments(folder, **arguments), build_processor(method), images(count), test)


class Break(TrainerCallback):
    """Spoils a statistic after the second step."""

    def __init__(self, breaks):
        self.breaks = breaks

    def on_optimizer_step(self, args, state, control, model, **kwargs):
        if self.breaks and state.global_step == 1:
            model.backbone.embedder.embedder.normalization.running_mean[0] = float("nan")


def message(action):
    with pytest.raises(ValueError) as caught:
        action()
    return str(caught.value)


def what_happens(folder, rank):
    """Each entry in every process; nobody said `use_cpu`."""

    def joined():
        args = SSLTrainingArguments(folder)
        return args.world_size, args.use_cpu, args.process_index

    def trained():
        """Logs, and the state of the model, of two epochs with evaluations."""
        trainer = build(folder, "moco_v2", "resnet", test=images(8), eval_strategy="steps", eval_steps=2)
        trainer.train()
        history = trainer.state.log_history
        own = {name: value.clone() for name, value in trainer.model.state_dict().items() if "running" not in name}
        return [{k: v for k, v in h.items() if "runtime" not in k and "second" not in k} for h in history], own

    def synchronised():
        kinds = {}
        for method, asked in (("simclr", True), ("simclr", False), ("moco_v2", True), ("obow", True)):
            model = build(folder, method, "resnet", sync_batch_norm=asked).model
            children = {n.split(".")[0] for n, m in model.named_modules() if isinstance(m, SyncBatchNorm)}
            kinds[f"{method} {asked}"] = sorted(children), list(model.state_dict())
        return kinds

    def logged():
        return mean_logs(
            {"a": [torch.tensor(1.0 + 2 * rank), torch.tensor(3.0 + 2 * rank)], "b": [torch.tensor(rank)]}
        )

    def diagnosed():
        """An effective rank of what all saw, and a weight that is not finite in the second process alone."""
        doctor, generator = Doctor(), torch.Generator().manual_seed(rank)
        doctor.observe(torch.randn(8, 4, generator=generator))
        trainer = build(folder, "moco_v2", "resnet", save_strategy="steps", save_steps=2)
        trainer.add_callback(Break(rank == 1))
        trainer.train()
        return doctor.rank(), trainer.state.global_step, list(trainer.doctor.findings)

    def refused():
        return [
            message(lambda: build(folder, count=24 + rank)),
            message(lambda: require_same("number", rank)),
        ]

    def decided():
        class Run:
            costs, evaluated_images = f"costs of {rank}", rank
            args = SSLTrainingArguments(folder, max_steps=10 + rank)

        decide_as_first_process(Run)
        return Run.costs, Run.evaluated_images, Run.args.max_steps

    def resumed():
        """Seeds of the batches, and the weights, of a whole run and of one that stops in its second epoch."""
        found = {}
        for name, stop, resume in (("whole", None, None), ("part", 4, None), ("part", None, "checkpoint-4")):
            trainer = build(
                f"{folder}/{name}", "mae", count=20, max_steps=-1, num_train_epochs=2, dataloader_drop_last=False,
                views_on_device=True,
            )  # fmt: skip
            seeds, collate = [], trainer.data_collator
            trainer._prepare_inputs = lambda inputs, prepare=trainer._prepare_inputs, seeds=seeds: (
                seeds.append(inputs["view_seed"]) or prepare(inputs)
            )
            if stop:
                trainer.add_callback(StopAt(stop))
            trainer.train(resume_from_checkpoint=resume and f"{folder}/{name}/{resume}")
            found[name] = found[name][0] + seeds if name in found else seeds, trainer.model.decoder.mask_token.clone()
            assert collate.process == rank
        (whole, weight), (part, again) = found["whole"], found["part"]
        return whole, part, torch.equal(weight, again)

    def clipped():
        """Norms of the gradients of a projector that is clipped apart, and its weights after the steps."""
        trainer = build(folder, "simclr", max_steps=2, gradient_accumulation_steps=2, max_grad_norm=0.02)
        model, norms, apart = trainer.model, [], Treatment(max_grad_norm=0.01)
        model.parameter_groups = lambda args: grouped(
            model.named_parameters(), args, lambda name: apart if name.startswith("projector.") else Treatment()
        )
        model.before_optimizer_step = lambda step, total: norms.append(
            torch.stack([p.grad.norm() for p in model.projector.parameters()]).norm().item()
        )
        trainer.train()
        return norms, [p.detach().clone() for p in model.parameters()]

    steps = (joined, trained, synchronised, logged, diagnosed, refused, decided, resumed, clipped)
    return each([step.__name__ for step in steps], lambda name: dict((s.__name__, s) for s in steps)[name]())


def run(rank, world, folder):
    os.environ.update(LOCAL_WORLD_SIZE=str(world), MASTER_ADDR="127.0.0.1")
    return what_happens(f"{folder}/run", rank)


@pytest.fixture(scope="module")
def happened(tmp_path_factory):
    first, second = in_processes(run, str(tmp_path_factory.mktemp("processes")), world=WORLD)
    assert [value for rank in (first, second) for value in rank.values() if isinstance(value, str)] == []
    return first, second


def test_a_launcher_on_cpus_starts_one_job(happened):
    assert [rank["joined"] for rank in happened] == [(2, True, 0), (2, True, 1)]


def test_all_log_and_evaluate_alike(happened):
    (first, state), (second, other) = (rank["trained"] for rank in happened)
    assert first == second
    assert sum("eval_knn" in entry for entry in first) == 2 and sum("loss" in entry for entry in first) == 4
    assert state.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in state.items())


def test_batch_norm_is_synchronised_where_the_official_code_does(happened):
    everything = {"simclr True": ["backbone", "projector"], "simclr False": [], "moco_v2 True": []}
    everything["obow True"] = ["backbone", "teacher"]
    for rank in happened:
        for name, (children, keys) in rank["synchronised"].items():
            assert children == everything[name], name
            assert keys == list(build_model(name.split()[0], "resnet").state_dict())


def test_logs_are_means_over_steps_and_processes(happened):
    assert happened[0]["logged"] == happened[1]["logged"] == {"a": 3.0, "b": 0.5}


def test_the_doctor_sees_all_processes_and_stops_all(happened):
    embeddings = torch.cat([torch.randn(8, 4, generator=torch.Generator().manual_seed(rank)) for rank in range(WORLD)])
    for rank, stopped_at, findings in (rank["diagnosed"] for rank in happened):
        assert rank == pytest.approx(float(effective_rank(embeddings)), abs=1e-4)
        assert stopped_at == 2 and findings == ["nan"]


def test_different_data_are_refused(happened):
    for data, number in (rank["refused"] for rank in happened):
        assert data.startswith("The processes do not see the same number of images (24, 25)")
        assert number.startswith("The processes do not see the same number (0, 1)")


def test_resuming_is_exact_and_no_views_come_twice(happened):
    """Five batches for two processes: the second gets the first batch once more, with views of its own."""
    for whole, part, same in (rank["resumed"] for rank in happened):
        assert len(whole) == 6 and part == whole and same
    assert len({seed for rank in happened for seed in rank["resumed"][0]}) == 12


def test_gradients_are_clipped_apart_after_all_processes_are_added_up(happened):
    (norms, first), (same, second) = (results["clipped"] for results in happened)
    assert norms == same == pytest.approx([0.01, 0.01], rel=1e-3)
    assert all(map(torch.equal, first, second))


def test_the_first_process_decides(happened):
    assert [rank["decided"] for rank in happened] == [("costs of 0", 0, 10)] * 2


def test_a_fingerprint_tells_data_apart():
    same = images()
    names = {fingerprint(same), fingerprint(same.subset(range(24)))}
    assert len(names) == 1
    others = [images(23), same.subset([1, 0, *range(2, 24)]), TensorImages(same.images)]
    assert len(names | {fingerprint(other) for other in others}) == 4
    assert fingerprint([1, 2]) is None


def test_every_batch_norm_that_is_left_alone_exists():
    for name, method in METHODS.items():
        children = dict(build_model(name).named_children())
        assert set(method.pretraining_class.local_batch_norm) <= children.keys() | {"jigsaw_projector"}, name
