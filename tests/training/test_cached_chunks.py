"""In chunks, a batch has the loss and the gradients of the whole, and the memory of a chunk (arXiv:2101.06983)."""

import json

import numpy as np
import pytest
import torch
import torch.distributed as dist
from PIL import Image
from transformers import AutoConfig, PreTrainedModel

from benchmarks.cached_chunks import PeakBytes
from hf_ssl.cli.options import parse_training
from hf_ssl.modeling_utils import encode
from hf_ssl.nn.chunks import encode_in_chunks, set_chunk_size
from hf_ssl.nn.drop_path import DropPath
from hf_ssl.registry import METHODS

from ..cli.test_errors import hf_ssl
from ..conftest import build_model, build_views
from ..processes import each, in_processes
from .test_distributed import PLAIN, prepare
from .test_resume import StopAt, build_trainer

ENCODING = [name for name, method in METHODS.items() if method.pretraining_class.supports_cached_chunks]
GLOBAL = ["simclr", "barlow_twins", "vicreg", "swav", "clip"]
BATCH = 8


def build(method, size, backbone=None, **fields):
    """A model whose heads are in training, and whose encoders have neither batch statistics nor random branches."""
    model = build_model(method, backbone, **fields)
    for module in model.modules():
        if isinstance(module, PreTrainedModel) and module is not model and backbone == "resnet":
            module.eval()
        elif isinstance(module, DropPath):
            module.probability = 0.0
    set_chunk_size(model, size)
    model.on_step_begin(5, 10)
    return model


def step(model, views):
    """Loss, gradients and buffers after one step."""
    loss = model(**views).loss
    loss.backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return loss.detach(), gradients, dict(model.named_buffers())


def assert_same(actual, expected):
    torch.testing.assert_close(actual[0], expected[0], atol=1e-5, rtol=0)
    assert actual[1].keys() == expected[1].keys() and actual[2].keys() == expected[2].keys()
    for name, gradient in expected[1].items():
        atol = 1e-5 * max(1.0, gradient.abs().max().item())
        torch.testing.assert_close(actual[1][name], gradient, atol=atol, rtol=0, msg=name)
    for name, buffer in expected[2].items():  # the heads' running statistics too: updated once, by the whole batch
        torch.testing.assert_close(actual[2][name], buffer, atol=1e-5, rtol=0, msg=name)


@pytest.mark.parametrize(("method", "backbone"), [case for case in PLAIN if case[0] in ENCODING])
def test_chunks_equal_the_whole_batch(method, backbone):
    views = build_views(method, batch=BATCH)
    whole = step(build(method, None, backbone), views)
    for size in (1, 3, 100):  # 3 leaves a short chunk, 100 is more than there is
        assert_same(step(build(method, size, backbone), views), whole)


def test_chunks_of_mean_pooled_patches():
    views = build_views("simclr", batch=BATCH)
    assert_same(*(step(build("simclr", size, pooling="mean"), views) for size in (3, None)))


@pytest.mark.parametrize("method", ENCODING)
def test_no_encoder_sees_more_than_a_chunk(method):
    model = build(method, 3)
    seen = {True: [], False: []}  # with and without gradients
    for module in model.modules():
        if isinstance(module, PreTrainedModel) and module is not model:
            module.register_forward_pre_hook(lambda _, args: seen[torch.is_grad_enabled()].append(len(args[0])))
    loss = model(**build_views(method, batch=BATCH)).loss
    forward = len(seen[True])
    loss.backward()
    assert forward >= 3 and len(seen[True]) == 2 * forward and max(seen[True]) == 3
    if method != "obow":  # whose teacher gives feature maps of the batch, no embeddings
        assert max(seen[False], default=0) <= 3


def peak_of_encoder(batch, size, backbone):
    """Bytes, but for those of the images, the weights and their gradients."""
    model = build("simclr", size, backbone)
    images, gradient = torch.randn(batch, 3, 32, 32), torch.ones(batch, model.projector[0].in_features)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    with PeakBytes([images, gradient, *model.parameters(), *model.buffers()]) as memory:
        encode(model.backbone, images).backward(gradient)
    return memory.peak


@pytest.mark.parametrize("backbone", ["vit", "resnet"])
def test_memory_is_that_of_a_chunk(backbone):
    width = build_model("simclr", backbone).projector[0].in_features
    peaks = [peak_of_encoder(batch, 4, backbone) for batch in (16, 32, 64)]
    of_a_chunk = {peak - 4 * batch * width for peak, batch in zip(peaks, (16, 32, 64), strict=True)}
    assert len(of_a_chunk) == 1, peaks  # all that grows are the embeddings, in float32
    assert peak_of_encoder(64, None, backbone) > 5 * peaks[-1]


def train_a_step(rank, world):
    """Of each method in chunks, under DDP: loss, gradients and buffers, or what went wrong."""

    def of_method(method):
        model = prepare(method)
        set_chunk_size(model, 3)
        model.on_step_begin(5, 10)
        share = {k: v.chunk(world)[rank] for k, v in build_views(method, batch=BATCH).items()}
        loss, _, buffers = step(torch.nn.parallel.DistributedDataParallel(model), share)
        dist.all_reduce(loss)
        gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        return loss / world, gradients, {n.removeprefix("module."): b for n, b in buffers.items()}

    return each(GLOBAL, of_method)


@pytest.fixture(scope="module")
def two_processes():
    return in_processes(train_a_step)


@pytest.mark.parametrize("method", GLOBAL)
def test_two_processes_in_chunks_equal_one_without(method, two_processes):
    model = prepare(method)
    model.on_step_begin(5, 10)
    whole = step(model, build_views(method, batch=BATCH))
    for results in two_processes:
        assert not isinstance(results[method], str), results[method]
        assert_same(results[method], whole)


def test_the_second_pass_repeats_the_random_draws():
    encoder = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Dropout(), torch.nn.Linear(8, 4))
    x, gradients = torch.randn(10, 8), []
    for kept in (True, False):
        encoder.zero_grad()
        torch.manual_seed(0)
        h = torch.cat([encoder(c) for c in x.split(4)]) if kept else encode_in_chunks(encoder, encoder, x, 4)
        torch.rand(7)  # as heads with dropout would
        h.square().sum().backward()
        gradients.append(encoder[0].weight.grad.clone())
    assert gradients[0].abs().sum() > 0
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=0)


def test_gradients_add_up_in_float32_under_autocast():
    encoder, gradients = torch.nn.Linear(8, 4), []
    for size in (None, 1):
        encoder.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            h = encode_in_chunks(encoder, encoder, torch.ones(1000, 8), size)
        assert h.dtype == torch.bfloat16
        h.float().sum().backward()
        gradients.append(encoder.weight.grad.clone())
    torch.testing.assert_close(*gradients, atol=0, rtol=0.01)  # bfloat16 counts no further than 256


def test_batch_statistics_of_an_encoder_are_refused():
    model = build_model("barlow_twins", "resnet")
    set_chunk_size(model, 4)
    with pytest.raises(ValueError, match="BatchNorms of ResNetModel .* cached_chunk_size"):
        model(**build_views("barlow_twins", batch=BATCH))
    assert all(b == 0 for name, b in model.named_buffers() if name.endswith("num_batches_tracked"))


@pytest.mark.parametrize("size", [0, -1])
def test_a_chunk_holds_something(size, tmp_path):
    with pytest.raises(ValueError, match=f"cached_chunk_size must be at least 1, got {size}"):
        build_trainer("simclr", "vit", tmp_path, cached_chunk_size=size)


@pytest.mark.parametrize("method", sorted(set(METHODS) - set(ENCODING)))
def test_a_method_that_cannot_says_so(method, tmp_path):
    name = METHODS[method].pretraining_class.__name__
    with pytest.raises(ValueError, match=f"cached_chunk_size does nothing for {name}"):
        build_trainer(method, None, tmp_path, cached_chunk_size=4)
    build_trainer(method, None, tmp_path)


def test_a_run_in_chunks_resumes_and_equals_one_without(tmp_path):
    """With accumulation, of two batches of four."""
    arguments = {"optim": "sgd", "learning_rate": 1e-3, "cached_chunk_size": 3}
    whole = build_trainer("byol", "vit", tmp_path / "whole", **{**arguments, "cached_chunk_size": None})
    chunked = build_trainer("byol", "vit", tmp_path / "chunked", **arguments)
    build_trainer("byol", "vit", tmp_path / "part", callbacks=[StopAt(3)], **arguments).train()
    resumed = build_trainer("byol", "vit", tmp_path / "part", **arguments)
    whole.train(), chunked.train(), resumed.train(resume_from_checkpoint=str(tmp_path / "part" / "checkpoint-3"))
    states = [trainer.model.state_dict() for trainer in (whole, chunked, resumed)]
    start = build_model("byol").state_dict()
    assert any((start[name] - tensor).abs().max() > 1e-3 for name, tensor in states[1].items())
    for name, tensor in states[0].items():
        torch.testing.assert_close(states[1][name], tensor, atol=1e-5, rtol=1e-4, msg=name)
        assert torch.equal(states[1][name], states[2][name]), name


def test_no_configuration_remembers_it(tmp_path):
    trainer = build_trainer("dino", "vit", tmp_path, cached_chunk_size=3)
    trainer.save_model()
    assert trainer.model.student.backbone.encode_chunk_size == trainer.model.backbone.encode_chunk_size == 3
    assert "chunk_size" not in str(AutoConfig.from_pretrained(tmp_path)).replace("chunk_size_feed_forward", "")
    set_chunk_size(trainer.model, None)
    assert trainer.model.student.backbone.encode_chunk_size is None


@pytest.mark.slow
def test_a_compiled_model_encodes_in_chunks():
    views = build_views("simclr", batch=BATCH)
    whole, model = step(build("simclr", None), views), build("simclr", 8)
    loss = torch.compile(model, backend="aot_eager", fullgraph=True)(**views).loss
    loss.backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert_same((loss.detach(), gradients, dict(model.named_buffers())), whole)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs `hf-ssl pretrain` for two steps on twelve images; exit code and the last line of standard error."""
    (tmp_path / "photos").mkdir()
    generator = np.random.default_rng(0)
    for i in range(12):
        pixels = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
    fixed = ["--data", tmp_path / "photos", "--output-dir", tmp_path / "out", "--max_steps", 2, "--use_cpu"]

    def run(*arguments):
        return hf_ssl(monkeypatch, capsys, "pretrain", *arguments, *fixed)

    return run


def test_from_the_command_line(command, tmp_path):
    build_model("simclr").backbone.save_pretrained(tmp_path / "vit")
    arguments = ["simclr", "--backbone", tmp_path / "vit", "--per_device_train_batch_size", 12]
    assert command(*arguments, "--cached_chunk_size", 8)[0] == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["run"]["training_arguments"]["cached_chunk_size"] == 8 and results["run"]["steps"] == 2
    assert parse_training(["--cached-chunk-size", "8"]) == {"cached_chunk_size": 8}


@pytest.mark.parametrize(
    ("method", "backbone", "size", "expected"),
    [
        ("mae", "vit-nano", 8, "cached_chunk_size does nothing for MAEForPreTraining"),
        ("simclr", "resnet-18", 8, "keep its BatchNorms in eval()"),
        ("simclr", "vit-nano", 0, "cached_chunk_size must be at least 1, got 0"),
    ],
)
def test_mistakes_on_the_command_line(method, backbone, size, expected, command, tmp_path):
    arguments = ["--backbone", backbone, "--per_device_train_batch_size", 12, "--cached-chunk-size", size]
    code, message = command(method, *arguments)
    assert code == 2 and expected in message
    assert not (tmp_path / "out").exists()
