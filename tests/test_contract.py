"""What every row of the registry promises, whatever the method. Numbers T1-T18 are those of the design notes."""

import copy
import inspect

import pytest
import torch
import transformers
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    AutoModelForImageClassification,
    AutoModelForPreTraining,
)

from hf_ssl.image_processing_utils import SSLImageProcessor
from hf_ssl.modeling_utils import SSLOutput, SSLPreTrainedModel
from hf_ssl.nn.network_copy import NetworkCopy
from hf_ssl.registry import METHODS

from .conftest import BACKBONES, CASES, build_model, build_processor, build_views

methods = pytest.mark.parametrize("method", METHODS)
cases = pytest.mark.parametrize(("method", "backbone"), CASES)


def assert_same_state(a, b):
    a, b = a.state_dict(), b.state_dict()
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert not different


def frozen(model):
    return {name for name, parameter in model.named_parameters() if not parameter.requires_grad}


@cases
def test_reload_gives_every_tensor_and_every_frozen_flag(method, backbone, tmp_path):  # T1, T2, T8, T9
    model = build_model(method, backbone)
    model.save_pretrained(tmp_path)
    again, info = type(model).from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    assert_same_state(model, again)
    assert frozen(model) == frozen(again)


@cases
def test_saved_names_are_the_names_of_the_model(method, backbone, tmp_path):  # T1: a Trainer resumes by plain names
    from safetensors.torch import load_file

    model = build_model(method, backbone)
    model.save_pretrained(tmp_path)
    assert load_file(tmp_path / "model.safetensors").keys() == model.state_dict().keys()


@cases
def test_auto_classes(method, backbone, tmp_path):
    model, row = build_model(method, backbone).eval(), METHODS[method]
    model.save_pretrained(tmp_path)
    build_processor(method).save_pretrained(tmp_path)
    assert type(AutoConfig.from_pretrained(tmp_path)) is row.config_class
    assert type(AutoImageProcessor.from_pretrained(tmp_path)) is row.image_processor_class
    again = AutoModelForPreTraining.from_pretrained(tmp_path)
    assert type(again) is row.pretraining_class
    encoder, info = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    classifier = AutoModelForImageClassification.from_pretrained(tmp_path, num_labels=7, ignore_mismatched_sizes=True)
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        embedding = model.encoder()(x).pooler_output
        assert embedding.shape == (2, classifier.classifier.in_features)
        assert torch.equal(encoder(x).pooler_output, embedding)
        output = classifier.eval()(x, labels=torch.tensor([0, 6]))
    assert output.logits.shape == (2, 7) and output.loss.isfinite()
    assert_same_state(classifier.backbone, model.backbone)


@cases
def test_every_trainable_parameter_gets_a_gradient_and_no_frozen_one(method, backbone):  # DDP needs no search
    model = build_model(method, backbone)
    output = model.train()(**build_views(method))
    assert isinstance(output, SSLOutput) and output.loss.dtype == torch.float32 and output.loss.ndim == 0
    assert output.embeddings.shape[0] == 4 and not output.embeddings.requires_grad
    output.loss.backward()
    assert [n for n, p in model.named_parameters() if p.requires_grad == (p.grad is None)] == []


# ConvNeXt starts with layer scales of 1e-6: at first it does average its patches, in whatever order.
@pytest.mark.parametrize(("method", "backbone"), [case for case in CASES if case[1] != "convnext"])
def test_shuffled_patches_change_the_embedding(method, backbone):  # T3: a fresh model knows where its patches are
    model = METHODS[method].pretraining_class(build_model(method, backbone).config).eval()
    x = torch.randn(2, 3, 32, 32)
    shuffled = x.unflatten(2, (4, 8)).unflatten(4, (4, 8))[:, :, [2, 0, 3, 1]][:, :, :, :, [1, 3, 0, 2]]
    shuffled = shuffled.flatten(4, 5).flatten(2, 3)
    with torch.no_grad():
        difference = (model.encoder()(x).pooler_output - model.encoder()(shuffled).pooler_output).abs().max()
    assert difference > 1e-4


@cases
def test_warm_start_takes_every_weight_of_a_published_encoder(method, backbone, tmp_path):  # T4, T5, T6
    native = AutoModel.from_config(BACKBONES[backbone]())
    with torch.no_grad():
        for parameter in native.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    native.save_pretrained(tmp_path)
    template = build_model(method, backbone)
    model = type(template).from_backbone(str(tmp_path), template.config)
    expected = native.state_dict()
    for name, tensor in model.backbone.state_dict().items():
        assert torch.equal(tensor, expected[name]), name
    for child in model.children():
        if isinstance(child, NetworkCopy):
            for name, tensor in child.state_dict().items():
                assert torch.equal(tensor, model.state_dict()[name]), name


@methods
def test_warm_start_from_a_classifier(method, tmp_path):  # T5
    classifier = AutoModelForImageClassification.from_config(BACKBONES["vit"]())
    classifier.save_pretrained(tmp_path)
    template = build_model(method)
    model = type(template).from_backbone(str(tmp_path), template.config)
    assert torch.equal(model.backbone.layers[1].mlp.fc2.weight, classifier.vit.layers[1].mlp.fc2.weight)


@methods
def test_hooks_are_pure_functions_of_the_step(method):
    a, b = build_model(method), build_model(method)
    for model, steps in ((a, range(4)), (b, [3])):
        for step in steps:
            model.on_step_begin(step, 10)
    vars_of = [{k: v for k, v in vars(m).items() if isinstance(v, (int, float))} for m in (a, b)]
    assert vars_of[0] == vars_of[1]


@methods
def test_momentum_networks_move_only_by_their_hook(method):
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


@methods
def test_bfloat16_and_autocast(method, tmp_path):
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


@methods
def test_attention_choice_reaches_the_backbone(method, tmp_path):
    model = build_model(method)
    assert model.backbone.config._attn_implementation == "sdpa"
    model.save_pretrained(tmp_path)
    eager = AutoModel.from_pretrained(tmp_path, attn_implementation="eager").eval()
    assert eager.backbone.config._attn_implementation == "eager"
    if METHODS[method].config_class().pooling is None:
        attentions = eager(torch.randn(1, 3, 32, 32), output_attentions=True).attentions
        assert len(attentions) == 2 and attentions[0].shape == (1, 3, 17, 17)


@methods
def test_gradient_checkpointing_changes_nothing_but_memory(method):
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


@pytest.mark.parametrize(("method", "backbone"), [case for case in CASES if case[1] in ("vit", "resnet")])
def test_one_graph_holds_the_step_and_no_schedule_makes_another(method, backbone):  # nothing waits for the device
    graphs = []

    def count(graph, _):
        graphs.append(graph)
        return graph.forward

    model = build_model(method, backbone).train()
    if method == "swav":  # a queue that fills up in the middle of a run makes a second graph, once
        model.queue.put_(torch.nn.functional.normalize(torch.randn_like(model.queue.rows), dim=-1))
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


@methods
def test_loss_keywords_of_the_trainer_cannot_scale_gradients(method):  # T10
    cls = METHODS[method].pretraining_class
    assert cls.accepts_loss_kwargs is False
    assert inspect.signature(cls.forward).parameters["return_loss"].default is True


@methods
def test_without_a_loss_nothing_but_the_views_is_needed(method):  # what the pictures of a run are made from
    views = {k: v for k, v in build_views(method).items() if k not in ("labels", "sample_index")}
    with torch.no_grad():
        output = build_model(method).eval()(**views, return_loss=False)
    assert output.loss is None and output.embeddings.shape[0] == 4


@methods
def test_names_are_free_in_transformers(method):  # T12, T14
    row = METHODS[method]
    assert row.config_class.model_type == f"ssl_{method}"
    for name in row.module.__all__:
        if name != "RECIPES":
            assert name not in dir(transformers), name
    assert "models" not in row.pretraining_class.__module__.split(".")


@methods
def test_no_remote_code_and_prefix(method):  # T4, T13
    cls = METHODS[method].pretraining_class
    assert cls._auto_class is None and cls.base_model_prefix == "backbone" and issubclass(cls, SSLPreTrainedModel)


@methods
def test_config_rejects_typos_and_documents_its_fields(method):
    cls = METHODS[method].config_class
    with pytest.raises(ValueError, match="has no field 'backbone_confg'. Did you mean 'backbone_config'?"):
        cls(backbone_confg={})
    for name in vars(cls).get("__annotations__", {}):
        if name != "model_type":
            assert f"\n        {name} (" in cls.__doc__, f"{cls.__name__}.{name} is not documented"


@methods
def test_config_round_trip(method, tmp_path):
    config = build_model(method).config
    config.save_pretrained(tmp_path)
    again = AutoConfig.from_pretrained(tmp_path)
    assert again.to_diff_dict() == config.to_diff_dict()


@methods
def test_a_checkpoint_of_another_method_is_refused(method, tmp_path):
    build_model(method).save_pretrained(tmp_path)
    for other in METHODS:
        if other != method:
            with pytest.raises(ValueError, match=f"checkpoint of 'ssl_{method}'"):
                METHODS[other].pretraining_class.from_pretrained(tmp_path)


@methods
def test_processor_rejects_typos_documents_itself_and_round_trips(method, tmp_path):
    cls = METHODS[method].image_processor_class
    with pytest.raises(ValueError, match="has no attribute 'crop_sise'. Did you mean 'crop_size'?"):
        cls(crop_sise=1)
    documented = "".join(c.__doc__ for c in cls.__mro__ if issubclass(c, SSLImageProcessor))
    for name in cls.view_attributes():
        assert f"\n        {name} (" in documented, f"{cls.__name__}.{name} is not documented"
    processor = build_processor(method, flip_probability=0.25)
    processor.save_pretrained(tmp_path)
    again = cls.from_pretrained(tmp_path)
    assert again.to_dict() == processor.to_dict() and again.flip_probability == 0.25


@methods
def test_a_processor_lists_every_number_of_its_views_itself(method):
    cls = METHODS[method].image_processor_class
    assert cls.sample_keys == ("image",)
    declared = {name for c in cls.__mro__ if issubclass(c, SSLImageProcessor) for name in c.__annotations__}
    assert cls.view_attributes().keys() == vars(cls)["__annotations__"].keys() == declared


@methods
def test_views_depend_on_the_generator_alone(method):
    processor = build_processor(method)
    images = torch.randint(0, 256, (4, 3, 40, 36), dtype=torch.uint8)
    first, again, other = (
        processor.views(image=images, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    for name in first:
        assert torch.equal(first[name], again[name])
        assert not torch.equal(first[name], other[name])
    assert first["pixel_values"].dtype == torch.float32 and first["pixel_values"].shape[-2:] == (32, 32)


@methods
def test_grey_and_ragged_images_become_views(method):
    processor = build_processor(method)
    images = [torch.randint(0, 256, (1, 20 + 3 * i, 50), dtype=torch.uint8) for i in range(3)]
    views = processor.views(image=images, generator=torch.Generator().manual_seed(0))
    assert views["pixel_values"].shape[0] == 3 and views["pixel_values"].shape[-3] == 3
    extras = {k: v for k, v in build_views(method, batch=3).items() if k in ("labels", "sample_index")}
    build_model(method)(**views, **extras).loss.backward()


@methods
def test_recipes_name_real_fields(method):
    from dataclasses import fields

    from hf_ssl.backbones import BACKBONES as NAMES
    from hf_ssl.training import SSLTrainingArguments

    row = METHODS[method]
    assert {"paper", "small"} <= row.recipes.keys()
    for recipe in row.recipes.values():
        assert recipe.config.keys() <= {f.name for f in fields(row.config_class)}
        assert recipe.processor.keys() <= row.image_processor_class.view_attributes().keys()
        assert recipe.training.keys() <= {f.name for f in fields(SSLTrainingArguments)}
        assert recipe.backbone in NAMES and recipe.description
