"""What transformers saves is taken: checks of damaged files are no use where they refuse sound ones."""

import json

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoImageProcessor, AutoModel
from transformers.image_utils import PILImageResampling

from hf_ssl.checks.configs import require_config
from hf_ssl.checks.processors import require_processor
from hf_ssl.evaluation import load_image_processor
from hf_ssl.loading import load_encoder
from hf_ssl.registry import METHODS

_TOKENS = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
_STAGES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
_SWIN = {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 2, "image_size": 32}
_VIT = _TOKENS | {"image_size": 32, "patch_size": 8}
_TWO = {"text_config": _TOKENS | {"vocab_size": 99}, "vision_config": _VIT}
FAMILIES = {
    "vit": _VIT,
    "dinov2": _VIT,
    "dinov2_with_registers": _VIT,
    "deit": _VIT,
    "ijepa": _VIT,
    "vit_mae": _VIT,
    "beit": _VIT,
    "data2vec-vision": _VIT,
    "resnet": _STAGES | {"embedding_size": 8, "layer_type": "basic"},
    "regnet": _STAGES | {"embedding_size": 8, "groups_width": 8},
    "convnext": _STAGES,
    "convnextv2": _STAGES,
    "swin": _SWIN,
    "swinv2": _SWIN,
    "clip": _TWO,
    "clip_vision_model": _VIT,
    "siglip": _TWO,
    "siglip_vision_model": _VIT,
}
# Kinds of images and text, whose encoders of images are trained after they were saved alone; and such as need a
# class token, or registers, of their own.
AS_BACKBONES = ("vit", "dinov2", "dinov2_with_registers", "beit", "resnet", "regnet", "convnext", "convnextv2", "swin")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    home = tmp_path_factory.mktemp("published")

    def save(kind):
        folder = home / kind
        if not folder.is_dir():
            torch.manual_seed(0)
            AutoModel.from_config(CONFIG_MAPPING[kind](**FAMILIES[kind])).save_pretrained(folder)
        return folder

    return save


@pytest.mark.parametrize("kind", FAMILIES)
def test_encoders_that_transformers_saved_are_loaded(kind, saved):
    model, expected = load_encoder(str(saved(kind))), AutoModel.from_pretrained(saved(kind))
    stored = expected.state_dict()
    assert all(torch.equal(tensor, stored[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("kind", AS_BACKBONES)
def test_training_starts_from_them(kind, saved):
    model = METHODS["simclr"].pretraining_class.from_backbone(str(saved(kind)), {})
    assert model.config.backbone_config.model_type == kind


@pytest.mark.parametrize("kind", [*FAMILIES, "dinov3_vit", "hiera", "textnet", "lw_detr", "vitdet", "levit", "pvt_v2"])
def test_the_defaults_of_architectures_are_within_bounds(kind):
    """Some have a 0, a -1 or lists of lists where others count."""
    require_config(json.loads(CONFIG_MAPPING[kind]().to_json_string(use_diff=False)), kind)


@pytest.mark.parametrize(
    "kind",
    [
        "vit",
        "clip",
        "siglip",
        "convnext",
        "beit",
        "bit",
        "levit",
        "dpt",
        "sam",
        "flava",
        "deit",
        "efficientnet",
        "segformer",
    ],
)
def test_image_processors_that_transformers_saves_are_loaded(kind, tmp_path):
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING

    classes = IMAGE_PROCESSOR_MAPPING[CONFIG_MAPPING[kind]]
    processor = next(c for c in classes.values() if c is not None)()
    processor.save_pretrained(tmp_path)
    require_processor(json.loads((tmp_path / "preprocessor_config.json").read_text()), kind)
    loaded = load_image_processor(str(tmp_path))
    assert loaded.to_dict().get("resample", PILImageResampling.BICUBIC) is not None
    assert type(AutoImageProcessor.from_pretrained(tmp_path)) is type(loaded)


@pytest.mark.parametrize(
    ("change", "meant"),
    [
        ({"nnum_attention_heads": 2}, "num_attention_heads"),
        ({"NUM_ATTENTION_HEADS": 2}, "num_attention_heads"),
        ({"num_atention_heads": 2}, "num_attention_heads"),
        ({"num_attention_head": 2}, "num_attention_heads"),
        ({"num_attentoin_heads": 2}, "num_attention_heads"),
        ({"num_attention_headz": 2}, "num_attention_heads"),
    ],
)
def test_a_slip_in_the_name_of_a_field_is_refused(change, meant):
    with pytest.raises(ValueError, match=f"is {meant} meant"):
        require_config({"model_type": "vit"} | change, "config.json")
    require_config({"model_type": "vit", meant: 2} | change, "config.json")  # then the other one means nothing


def test_numbers_below_nothing_and_unknown_activations_are_refused():
    with pytest.raises(ValueError, match="auxiliary_num_convs"):
        require_config({"model_type": "beit", "auxiliary_num_convs": -1}, "config.json")
    with pytest.raises(ValueError, match="hidden_act"):
        require_config({"model_type": "vit", "hidden_act": "no such thing"}, "config.json")


def test_a_slip_in_an_image_processor_is_refused():
    with pytest.raises(ValueError, match="has image_stds.* is image_std meant"):
        require_processor({"image_mean": [0.5], "image_stds": [0.5]}, "preprocessor_config.json")
