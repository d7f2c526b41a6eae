"""The embedding contract: plain transformers, in a process that cannot import hf_ssl, gives the same embedding."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from hf_ssl.hub import export_pretrained
from hf_ssl.registry import METHODS

from ..clean_process import run_clean
from ..conftest import CASES, build_model, build_processor

CLEAN_PROCESS = """
import json, torch
from PIL import Image
from safetensors.torch import save_file
from transformers import AutoImageProcessor, AutoModel, AutoModelForImageClassification, pipeline
results = {}
for folder in json.load(sys.stdin):
    images = [Image.open(f"{folder}/{name}.png") for name in ("colour", "grey")]
    processor = AutoImageProcessor.from_pretrained(folder)
    inputs = processor(images=images, return_tensors="pt")
    model, info = AutoModel.from_pretrained(folder, output_loading_info=True)
    left_over = [name for name in info["unexpected_keys"] if not name.startswith("classifier.")]
    assert not left_over and not info["missing_keys"] and not info["mismatched_keys"], info
    assert model.config.model_type.startswith("ssl_") is False
    with torch.no_grad():
        output = model(**inputs)
        again = model(**inputs)
        classifier = AutoModelForImageClassification.from_pretrained(
            folder, num_labels=3, ignore_mismatched_sizes=True
        )
        logits = classifier(**inputs).logits
    assert torch.equal(output.pooler_output, again.pooler_output)
    assert logits.shape == (2, 3)
    extract = pipeline("image-feature-extraction", model=folder, image_processor=folder)
    features = torch.tensor(extract(f"{folder}/colour.png"))
    assert torch.allclose(features.flatten(), output.last_hidden_state[0].flatten(), atol=1e-5)
    pooled = torch.tensor(extract(f"{folder}/colour.png", pool=True))
    assert torch.allclose(pooled.flatten(), output.pooler_output[0].flatten(), atol=1e-5)
    labelled = pipeline("image-classification", model=classifier, image_processor=processor)
    assert len(labelled(f"{folder}/colour.png")) == 3
    save_file({"pixel_values": inputs["pixel_values"], "embedding": output.pooler_output.flatten(1).contiguous(),
               "features": output.last_hidden_state.contiguous()}, f"{folder}/clean.safetensors")
    results[folder] = type(model).__name__
print(json.dumps(results))
"""

# Of images alone; clips, sounds and pairs are read by their own processors, in tests of their own.
IMAGE_CASES = [case for case in CASES if METHODS[case[0]].processor_class.sample_keys == ("image",)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Every method x backbone, exported, and loaded in one clean process: (model, processor, folder) by case."""
    cases, root = {}, tmp_path_factory.mktemp("repositories")
    generator = np.random.default_rng(0)
    for method, backbone in IMAGE_CASES:
        folder = root / f"{method}-{backbone}"
        model, processor = build_model(method, backbone).eval(), build_processor(method)
        export_pretrained(model, processor, folder)
        Image.fromarray(generator.integers(0, 256, (50, 41, 3), dtype=np.uint8)).save(folder / "colour.png")
        Image.fromarray(generator.integers(0, 256, (50, 41), dtype=np.uint8)).save(folder / "grey.png")
        cases[method, backbone] = model, processor, folder
    run_clean(CLEAN_PROCESS, input=json.dumps([str(folder) for _, _, folder in cases.values()]))
    return cases


@pytest.mark.parametrize("case", IMAGE_CASES)
def test_clean_process_gives_the_same_embedding(exported, case):
    model, processor, folder = exported[case]
    clean = load_file(folder / "clean.safetensors")
    images = [Image.open(folder / f"{name}.png") for name in ("colour", "grey")]
    pixel_values = processor(images=images, return_tensors="pt")["pixel_values"]
    assert torch.equal(pixel_values, clean["pixel_values"])
    with torch.no_grad():
        ours = model.encoder()(pixel_values)
    torch.testing.assert_close(clean["embedding"], ours.pooler_output, atol=1e-6, rtol=1e-6)
    # The embedding is the contract. Patch features of several units pass through BEiT's layers for MAE, which add in
    # another order: float32 has no more than this.
    torch.testing.assert_close(clean["features"], ours.last_hidden_state, atol=5e-6, rtol=1e-5)


@pytest.mark.parametrize("case", IMAGE_CASES)
def test_the_subfolder_is_the_whole_method(exported, case):
    model, processor, folder = exported[case]
    again = METHODS[case[0]].pretraining_class.from_pretrained(folder, subfolder="pretraining")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
    same = METHODS[case[0]].processor_class.from_pretrained(folder, subfolder="pretraining")
    assert same.to_dict() == processor.to_dict()


@pytest.mark.parametrize("case", IMAGE_CASES)
def test_the_root_is_native_and_small(exported, case):
    folder = exported[case][2]
    config = json.loads((folder / "config.json").read_text())
    preprocessor = json.loads((folder / "preprocessor_config.json").read_text())
    assert not config["model_type"].startswith("ssl_") and "auto_map" not in config
    assert preprocessor["image_processor_type"] == "ViTImageProcessor"
    assert not METHODS[case[0]].processor_class.view_attributes().keys() & preprocessor.keys()


def test_missing_weights_raise():
    model = build_model("simclr")
    del model.backbone.layers[1].mlp
    with pytest.raises(RuntimeError, match="layers.1.mlp.fc1.weight"):
        model.native_encoder()


def test_export_replaces_whole_files_and_keeps_others(tmp_path):
    model, processor = build_model("simclr").eval(), build_processor("simclr")
    (tmp_path / "notes.txt").write_text("mine")
    export_pretrained(model, processor, tmp_path, card="# one")
    (tmp_path / "pretraining" / "stale.txt").write_text("old")
    export_pretrained(model, processor, tmp_path, card="# two")
    assert (tmp_path / "README.md").read_text() == "# two" and (tmp_path / "notes.txt").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "README.md", "config.json", "model.safetensors", "notes.txt", "preprocessor_config.json", "pretraining",
    ]  # fmt: skip
    assert not (tmp_path / "pretraining" / "stale.txt").exists()


def test_exported_weights_are_those_of_the_teacher(tmp_path):
    model = build_model("dino").eval()
    native = model.native_encoder()
    assert torch.equal(native.layers[0].mlp.fc1.weight, model.backbone.layers[0].mlp.fc1.weight)
    assert not torch.equal(native.layers[0].mlp.fc1.weight, model.student.backbone.layers[0].mlp.fc1.weight)
    assert torch.equal(native.pooler.dense.weight, torch.eye(48))
    save_file(native.state_dict(), tmp_path / "x.safetensors")
