"""A method that publishes more than one encoder: each in a folder of its own, which plain transformers loads."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoImageProcessor, AutoModel
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from hf_ssl import SimCLRForPreTraining
from hf_ssl.hub import export_pretrained, published_files, push_folder, write_card
from hf_ssl.pretraining_utils import Published, PublishesEncoders

from ..conftest import BACKBONES, build_model, build_processor

TOWER = {f"vision/{name}" for name in ("config.json", "model.safetensors", "preprocessor_config.json")}


def with_tower(model, processor):
    """What SimCLR publishes, and a second encoder that stands for that of another modality."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        tower = AutoModel.from_config(BACKBONES["resnet"]()).eval()
    return PublishesEncoders.published(model, processor) | {"vision": Published(tower, ViTImageProcessorPil())}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setattr(SimCLRForPreTraining, "published", with_tower)
    monkeypatch.setattr(SimCLRForPreTraining, "published_folders", ("vision",))
    model, processor = build_model("simclr").eval(), build_processor("simclr")
    return export_pretrained(model, processor, tmp_path / "repository", write_card(model, processor))


def test_a_tower_in_a_folder_of_its_own(repository):
    assert AutoModel.from_pretrained(repository).config.model_type == "vit"
    tower = AutoModel.from_pretrained(repository, subfolder="vision")
    assert tower.config.model_type == "resnet"
    expected = with_tower(build_model("simclr"), build_processor("simclr"))["vision"].model.state_dict()
    assert all(tensor.equal(expected[name]) for name, tensor in tower.state_dict().items())
    assert AutoImageProcessor.from_pretrained(repository, subfolder="vision").size["height"] == 224
    assert TOWER <= published_files(repository).keys()


def test_a_tower_of_another_model_is_not_pushed(repository):
    place = repository / "vision" / "model.safetensors"
    weights = load_file(place)
    name = next(name for name in weights if name.endswith("convolution.weight"))
    save_file(weights | {name: weights[name] + 1}, place, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=f"encoders in vision/ of .* differ \\({name}\\)"):
        published_files(repository)
    place.unlink()
    with pytest.raises(ValueError, match="lacks vision/model.safetensors"):
        published_files(repository)


def test_a_push_takes_away_no_folder_of_somebody_else(hub, repository, monkeypatch):
    push_folder(repository, "me/one")
    files = hub.repo("me/one").find("main").files
    assert TOWER <= files.keys()
    foreign = {path.replace("vision", "onnx"): files[path] for path in TOWER}
    files.update(foreign)
    (repository / "vision" / "config.json").write_text((repository / "vision" / "config.json").read_text() + "\n")
    push_folder(repository, "me/one")
    assert foreign.keys() | TOWER <= hub.repo("me/one").find("main").files.keys()


def test_what_is_published_is_what_the_class_names(tmp_path, monkeypatch):
    monkeypatch.setattr(SimCLRForPreTraining, "published", with_tower)
    with pytest.raises(ValueError, match="published_folders"):
        export_pretrained(build_model("simclr").eval(), build_processor("simclr"), tmp_path / "repository")
