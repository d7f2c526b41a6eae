"""What is saved comes back: every tensor under its own name, by the Auto classes, and around published encoders."""

from math import prod

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel, AutoModelForPreTraining, PreTrainedModel

from ..nn.network_copy import NetworkCopy
from ..registry import METHODS
from .tiny import BACKBONES, SIZE, backbones_of, build_model, build_processor, encoder_of


def assert_same_state(a: PreTrainedModel, b: PreTrainedModel, but: str | None = None) -> None:
    """`but` is a tensor that only pretraining needs."""
    ours, theirs = ({n: t for n, t in model.state_dict().items() if n != but} for model in (a, b))
    assert ours.keys() == theirs.keys()
    different = [name for name in ours if not torch.equal(ours[name], theirs[name])]
    assert not different


def frozen(model: PreTrainedModel) -> set[str]:
    return {name for name, parameter in model.named_parameters() if not parameter.requires_grad}


class SavingContract:
    """See [`MethodContract`]."""

    def test_reload_gives_every_tensor_and_every_frozen_flag(self, method, backbone, tmp_path):
        model = build_model(method, backbone)
        model.save_pretrained(tmp_path)
        again, info = type(model).from_pretrained(tmp_path, output_loading_info=True)
        assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
        assert_same_state(model, again)
        assert frozen(model) == frozen(again)

    def test_saved_names_are_the_names_of_the_model(self, method, backbone, tmp_path):  # a Trainer resumes by them

        model = build_model(method, backbone)
        model.save_pretrained(tmp_path)
        assert load_file(tmp_path / "model.safetensors").keys() == model.state_dict().keys()

    def test_auto_classes(self, method, backbone, tmp_path):
        model, row = build_model(method, backbone).eval(), METHODS[method]
        model.save_pretrained(tmp_path)
        build_processor(method).save_pretrained(tmp_path)
        assert type(AutoConfig.from_pretrained(tmp_path)) is row.config_class
        assert type(row.modality.load("auto_processor").from_pretrained(tmp_path)) is row.processor_class
        again = AutoModelForPreTraining.from_pretrained(tmp_path)
        assert type(again) is row.pretraining_class
        encoder, info = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
        assert not info["missing_keys"]
        (auto_classifier,) = row.modality.load_heads().values()
        classifier = auto_classifier.from_pretrained(tmp_path, num_labels=7, ignore_mismatched_sizes=True)
        x = {row.modality.input_name: encoder_of(method, backbone).example(SIZE)}
        with torch.no_grad():
            embedding = model.encoder()(**x).pooler_output
            assert embedding.shape == (2, classifier.classifier.in_features)
            assert torch.equal(encoder(**x).pooler_output, embedding)
            output = classifier.eval()(**x, labels=torch.tensor([0, 6]))
        assert output.logits.shape == (2, 7) and output.loss.isfinite()
        assert_same_state(classifier.backbone, model.backbone, but="embeddings.mask_token")

    def test_warm_start_takes_every_weight_of_a_published_encoder(self, method, backbone, tmp_path):
        native = AutoModel.from_config(BACKBONES[backbone]())
        with torch.no_grad():
            for parameter in native.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
        native.save_pretrained(tmp_path)
        template = build_model(method, backbone)
        model = type(template).from_backbone(str(tmp_path), template.config)
        expected = native.state_dict()
        for name, tensor in model.backbone.state_dict().items():
            assert torch.equal(tensor, expected[name]) if name in expected else name == "embeddings.mask_token", name
        for child in model.children():
            if isinstance(child, NetworkCopy):
                for name, tensor in child.state_dict().items():
                    assert torch.equal(tensor, model.state_dict()[name]), name

    def test_warm_start_from_a_classifier(self, method, tmp_path):
        (auto_classifier,) = METHODS[method].modality.load_heads().values()
        config = BACKBONES[backbones_of(method)[0]]()
        if type(config) not in auto_classifier._model_mapping:
            pytest.skip(f"transformers has no classifier around a {config.model_type} encoder")
        classifier = auto_classifier.from_config(config)
        classifier.save_pretrained(tmp_path)
        template = build_model(method)
        model = type(template).from_backbone(str(tmp_path), template.config)
        last = [name for name, weight in model.backbone.named_parameters() if weight.ndim == 2][-1]
        assert torch.equal(model.backbone.get_parameter(last), classifier.base_model.get_parameter(last))

    def test_attention_choice_reaches_the_backbone(self, method, tmp_path):
        model, encoder = build_model(method), encoder_of(method)
        assert model.backbone.config._attn_implementation == "sdpa"
        model.save_pretrained(tmp_path)
        eager = AutoModel.from_pretrained(tmp_path, attn_implementation="eager").eval()
        assert eager.backbone.config._attn_implementation == "eager"
        if METHODS[method].config_class().pooling is None:
            x = encoder.example(SIZE, batch=1)
            attentions = eager(**{encoder.input_name: x}, output_attentions=True).attentions
            tokens = encoder.num_prefix + prod(encoder.grid(encoder.image_size))
            assert len(attentions) == 2 and attentions[0].shape == (1, 3, tokens, tokens)

    def test_config_round_trip(self, method, tmp_path):
        config = build_model(method).config
        config.save_pretrained(tmp_path)
        again = AutoConfig.from_pretrained(tmp_path)
        assert again.to_diff_dict() == config.to_diff_dict()

    def test_a_checkpoint_of_another_method_is_refused(self, method, tmp_path):
        build_model(method).save_pretrained(tmp_path)
        for other in METHODS.built_in:
            if other != method:
                with pytest.raises(ValueError, match=f"checkpoint of 'ssl_{method}'"):
                    METHODS[other].pretraining_class.from_pretrained(tmp_path)
