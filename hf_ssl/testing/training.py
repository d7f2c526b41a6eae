"""A step of training: every gradient arrives, schedules follow the step alone, and one graph holds it all."""

import copy
from collections.abc import Callable

import torch

from ..modeling_utils import SSLOutput
from ..nn.network_copy import NetworkCopy
from ..registry import METHODS
from .tiny import SIZE, build_model, build_views, encoder_of


def on(*backbones: str) -> Callable[[Callable], Callable]:
    """Of the encoders of images, run a test with these only."""

    def mark(function: Callable) -> Callable:
        function.backbones = backbones
        return function

    return mark


class TrainingContract:
    """See [`MethodContract`]."""

    def test_every_trainable_parameter_gets_a_gradient_and_no_frozen_one(
        self, method, backbone
    ):  # DDP needs no search
        model = build_model(method, backbone)
        output = model.train()(**build_views(method))
        assert isinstance(output, SSLOutput) and output.loss.dtype == torch.float32 and output.loss.ndim == 0
        assert output.embeddings.shape[0] == 4 and not output.embeddings.requires_grad
        output.loss.backward()
        assert [n for n, p in model.named_parameters() if p.requires_grad == (p.grad is None)] == []

    # ConvNeXt starts with layer scales of 1e-6: at first it does average its patches, in whatever order.
    @on("vit", "dinov2", "resnet", "swin")
    def test_shuffled_patches_change_the_embedding(
        self, method, backbone
    ):  # a fresh model knows where its patches are
        model = METHODS[method].pretraining_class(build_model(method, backbone).config).eval()
        encoder = encoder_of(method, backbone)
        x = encoder.example(SIZE)
        cells = x.unflatten(-1, (4, 8)).unflatten(-3, (4, 8))[..., [1, 3, 0, 2], :]
        shuffled = cells[..., [2, 0, 3, 1], :, :, :].flatten(-2).flatten(-3, -2)
        with torch.no_grad():
            a, b = (encoder.embed(model.backbone, inputs).pooler_output for inputs in (x, shuffled))
            difference = (a - b).abs().max()
        assert difference > 1e-4

    def test_hooks_are_pure_functions_of_the_step(self, method):
        a, b = build_model(method), build_model(method)
        for model, steps in ((a, range(4)), (b, [3])):
            for step in steps:
                model.on_step_begin(step, 10)
        vars_of = [{k: v for k, v in vars(m).items() if isinstance(v, (int, float))} for m in (a, b)]
        assert vars_of[0] == vars_of[1]

    def test_momentum_networks_move_only_by_their_hook(self, method):
        model = build_model(method)
        twins = [child for child in model.children() if isinstance(child, NetworkCopy)]
        before = copy.deepcopy(model.backbone.state_dict())
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        model.on_step_begin(5, 10)
        model.train()(**build_views(method)).loss.backward()
        model.before_optimizer_step(5, 10)
        optimizer.step()
        parameters = dict(model.backbone.named_parameters())
        moved = any(not torch.equal(before[name], p) for name, p in parameters.items())
        if twins and "backbone" in model.frozen_modules:
            assert not moved
            model.after_optimizer_step(5, 10)
            moved = any(not torch.equal(before[name], p) for name, p in parameters.items())
        assert moved

    def test_bfloat16_and_autocast(self, method, tmp_path):
        model = build_model(method)
        model.save_pretrained(tmp_path)
        half = type(model).from_pretrained(tmp_path, dtype=torch.bfloat16)
        assert half.dtype == torch.bfloat16
        views = build_views(method)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            trained, loss = model.train()(**views).loss, model.eval()(**views).loss
        assert trained.dtype == loss.dtype == torch.float32 and trained.isfinite()
        # In training the BatchNorms of four images can blow any rounding up.
        torch.testing.assert_close(loss, model(**views).loss, atol=0.1, rtol=0.05)
        views = {k: v.to(torch.bfloat16) if v.is_floating_point() else v for k, v in views.items()}
        assert half.train()(**views).loss.isfinite()

    def test_gradient_checkpointing_changes_nothing_but_memory(self, method):
        views, gradients = build_views(method), []
        for checkpointing in (False, True):
            model = build_model(method).train()
            if checkpointing:
                model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            torch.manual_seed(0)
            model(**views).loss.backward()
            gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
        for a, b in zip(*gradients, strict=True):
            torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)

    @on("vit", "resnet")
    def test_one_graph_holds_the_step_and_no_schedule_makes_another(
        self, method, backbone
    ):  # nothing waits for the device
        graphs = []

        def count(graph, _):
            graphs.append(graph)
            return graph.forward

        model = build_model(method, backbone).train()
        for step in range(4):  # a queue that fills up in the middle of a run makes a second graph, once
            model(**build_views(method, seed=step))
        eager = copy.deepcopy(model)
        torch.compiler.reset()
        compiled = torch.compile(model, backend=count, fullgraph=True)
        for step in range(3):
            losses = []
            for module, forward in ((eager, eager), (model, compiled)):
                module.on_step_begin(step, 4)
                torch.manual_seed(step)  # of stochastic depth
                losses.append(forward(**build_views(method, seed=step)).loss)
                losses[-1].backward()
                module.before_optimizer_step(step, 4)
                module.after_optimizer_step(step, 4)
            torch.testing.assert_close(*losses, atol=1e-6, rtol=1e-6)
        assert len(graphs) == 1

    def test_without_a_loss_nothing_but_the_views_is_needed(self, method):  # what the pictures of a run are made from
        views = {k: v for k, v in build_views(method).items() if k not in ("labels", "sample_index")}
        with torch.no_grad():
            output = build_model(method).eval()(**views, return_loss=False)
        assert output.loss is None and output.embeddings.shape[0] == 4
