"""`hf-ssl evaluate` takes any encoder of images, and says in one sentence what it does not take."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    BeitConfig,
    BertConfig,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    ConvNextConfig,
    Dinov2Config,
    IJepaConfig,
    ResNetConfig,
    SiglipConfig,
    SiglipVisionConfig,
    SwinConfig,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
    ViTMAEConfig,
    ViTMAEForPreTraining,
    ViTModel,
)

from hf_ssl.data import load_data
from hf_ssl.evaluation import random_init_like
from hf_ssl.evaluation.features import frozen_embedder
from hf_ssl.hub import export_pretrained
from hf_ssl.loading import load_encoder

from ..conftest import build_model, build_processor
from .test_errors import hf_ssl

SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
VIT = {**SMALL, "image_size": 32, "patch_size": 8, "intermediate_size": 64}
TEXT = {**SMALL, "intermediate_size": 64, "vocab_size": 99, "max_position_embeddings": 8}
MAE = ViTMAEConfig(
    **VIT, decoder_hidden_size=32, decoder_num_hidden_layers=1, decoder_num_attention_heads=2, mask_ratio=0.75
)


def joint(config_class):
    return AutoModel.from_config(config_class(text_config=TEXT, vision_config=VIT, projection_dim=24))


# Name -> (the saved model, width of its embedding).
KINDS = {
    "ViT": (lambda: AutoModel.from_config(ViTConfig(**VIT)), 32),
    "ViT without pooler": (lambda: ViTModel(ViTConfig(**VIT), add_pooling_layer=False), 32),
    "ViT classifier": (lambda: ViTForImageClassification(ViTConfig(**VIT)), 32),
    "ResNet": (
        lambda: AutoModel.from_config(
            ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
        ),
        16,
    ),
    "DINOv2": (lambda: AutoModel.from_config(Dinov2Config(**SMALL, image_size=32, patch_size=8)), 32),
    "ConvNeXt": (
        lambda: AutoModel.from_config(ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2)),
        16,
    ),
    "Swin": (
        lambda: AutoModel.from_config(
            SwinConfig(embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4, image_size=32)
        ),
        32,
    ),
    "BEiT": (lambda: AutoModel.from_config(BeitConfig(**VIT)), 32),
    "I-JEPA": (lambda: AutoModel.from_config(IJepaConfig(**VIT)), 32),
    "CLIP, image side": (lambda: AutoModel.from_config(CLIPVisionConfig(**VIT)), 32),
    "SigLIP, image side": (lambda: AutoModel.from_config(SiglipVisionConfig(**VIT)), 32),
    "CLIP": (lambda: joint(CLIPConfig), 24),
    "SigLIP": (lambda: joint(SiglipConfig), 32),
    "ViTMAE": (lambda: ViTMAEForPreTraining(MAE), 32),
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two classes of twelve images, of several sizes."""
    root, generator = tmp_path_factory.mktemp("data") / "photos", np.random.default_rng(0)
    for label in ("bright", "dark"):
        (root / label).mkdir(parents=True)
        for i in range(12):
            pixels = generator.integers(0, 100, (30 + i, 36, 3)) + 155 * (label == "bright")
            Image.fromarray(pixels.astype(np.uint8)).save(root / label / f"{i}.png")
    return root


def save(model, folder, size=32):
    model.save_pretrained(folder)
    ViTImageProcessorPil(size={"height": size, "width": size}).save_pretrained(folder)
    return folder


def evaluate(monkeypatch, capsys, *arguments):
    """Standard output of a command that ends well."""
    monkeypatch.setattr("sys.argv", ["hf-ssl", "evaluate", *map(str, arguments), "--k", "3", "--device", "cpu"])
    from hf_ssl.cli import main

    with pytest.raises(SystemExit) as exit_info:
        main()
    output = capsys.readouterr()
    assert exit_info.value.code == 0, output.err
    return output.out


def embed(model, pixels):
    with frozen_embedder(model) as embedder:
        return embedder(pixels)


@pytest.mark.parametrize("name", KINDS)
def test_any_kind_of_encoder(name, photos, tmp_path, monkeypatch, capsys):
    build, dim = KINDS[name]
    torch.manual_seed(0)
    folder = save(build(), tmp_path / "encoder")
    report = tmp_path / "report.json"
    shown = evaluate(monkeypatch, capsys, folder, "--data", photos, "--json-file", report)
    rows = {row["name"]: row for row in json.loads(report.read_text())["rows"]}
    assert set(rows) == {"raw pixels", "random init", "this encoder"}
    assert rows["this encoder"]["dim"] == rows["random init"]["dim"] == dim
    assert all(row in shown for row in rows) and "points of kNN" in shown
    pixels = torch.rand(4, 3, 32, 32)
    model = load_encoder(str(folder))
    ours, random = embed(model, pixels), embed(random_init_like(model, 1), pixels)
    assert torch.equal(ours, embed(model, pixels)) and (ours - random).abs().max() > 1e-4
    assert random.std(0).max() > 0  # a fresh encoder tells images apart


def test_nothing_is_hidden_from_a_vit_mae(tmp_path):
    torch.manual_seed(0)
    model = ViTMAEForPreTraining(MAE).eval()
    with torch.no_grad():  # T3: from scratch its positions are zero
        model.vit.embeddings.position_embeddings.normal_()
    pixels = torch.rand(2, 3, 32, 32)
    model.vit.config.mask_ratio = model.config.mask_ratio = 0.0
    with torch.no_grad():
        expected = model.vit(pixels).last_hidden_state[:, 0]
    model.vit.config.mask_ratio = model.config.mask_ratio = 0.75
    ours = embed(load_encoder(str(save(model, tmp_path / "mae"))), pixels)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)
    fresh = random_init_like(load_encoder(str(tmp_path / "mae")), 0)
    turned = pixels.flip(-1)
    assert (embed(fresh, pixels) - embed(fresh, turned)).abs().max() > 1e-4


@pytest.mark.parametrize("name", ["CLIP", "SigLIP"])
def test_an_image_text_model_gives_its_image_features(name, tmp_path):
    model = KINDS[name][0]().eval()
    pixels = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = model.get_image_features(pixels).pooler_output
    torch.testing.assert_close(embed(load_encoder(str(save(model, tmp_path / "joint"))), pixels), expected)


def test_a_missing_pooler_is_not_made_up(tmp_path):
    model = KINDS["ViT without pooler"][0]().eval()
    pixels = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = model(pixels).last_hidden_state[:, 0]
    loaded = load_encoder(str(save(model, tmp_path / "encoder")))
    assert loaded.pooler is None
    torch.testing.assert_close(embed(loaded, pixels), expected)


def test_ours_at_the_root_and_in_the_subfolder(photos, tmp_path, monkeypatch, capsys):
    for method in ("simclr", "mae"):
        folder = export_pretrained(build_model(method).eval(), build_processor(method), tmp_path / method)
        arguments = ("--data", photos, "--no-linear")
        root = evaluate(monkeypatch, capsys, folder, *arguments)
        assert "linear" not in root
        method_itself = evaluate(monkeypatch, capsys, folder, "--subfolder", "pretraining", *arguments)
        ours = [[line for line in text.splitlines() if "this encoder" in line] for text in (root, method_itself)]
        assert ours[0] == ours[1] and ours[0]
        assert evaluate(monkeypatch, capsys, folder / "pretraining", *arguments) == method_itself


def test_options(photos, tmp_path, monkeypatch, capsys):
    torch.manual_seed(0)
    folder = save(KINDS["ViT"][0](), tmp_path / "encoder", size=48)  # larger than the encoder: positions interpolate
    report = tmp_path / "report.json"
    options = ("--temperature", 0.2, "--dtype", "bfloat16", "--batch-size", 5, "--no-linear", "--json-file", report)
    evaluate(monkeypatch, capsys, folder, "--data", photos, *options)
    found = json.loads(report.read_text())
    assert found["protocol"]["k"] == 3 and found["protocol"]["temperature"] == 0.2
    assert all(row["linear"] is None for row in found["rows"])
    (folder / "preprocessor_config.json").unlink()
    code, message = hf_ssl(monkeypatch, capsys, "evaluate", folder, "--data", photos, "--no-linear")
    assert code == 0 and "so it is assumed: RGB images, resized and cropped to 32x32 pixels" in message
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32).save_pretrained(tmp_path / "other")
    options = ("--image-processor", tmp_path / "other", "--no-linear", "--json-file", report)
    evaluate(monkeypatch, capsys, folder, "--data", photos, *options)
    assert json.loads(report.read_text())["rows"][-1]["dim"] == 32


def test_timm(photos, tmp_path, monkeypatch, capsys):
    pytest.importorskip("timm", exc_type=ImportError)
    from transformers import TimmWrapperConfig

    model = AutoModel.from_config(TimmWrapperConfig(architecture="resnet18"))
    folder, report = save(model, tmp_path / "encoder"), tmp_path / "report.json"
    evaluate(monkeypatch, capsys, folder, "--data", photos, "--image-processor", folder, "--json-file", report)
    assert json.loads(report.read_text())["rows"][-1]["dim"] == 512


def spoil(source, folder, change):
    shutil.copytree(source, folder)
    change(folder)
    return folder


def edit_config(**fields):
    def change(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | fields))

    return change


def drop(name):
    return lambda folder: (folder / name).unlink()


def cut(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:3000])


def without_layer(folder):
    weights = load_file(folder / "model.safetensors")
    gone = {name for name in weights if "fc1" in name or "intermediate" in name}
    assert gone
    save_file({k: v for k, v in weights.items() if k not in gone}, folder / "model.safetensors", {"format": "pt"})


SPOILT = {
    "no config": (drop("config.json"), "holds no config.json"),
    "config is no JSON": (lambda folder: (folder / "config.json").write_text("{"), "is no JSON"),
    "unknown type": (edit_config(model_type="vitt"), "vitt"),
    "no weights": (drop("model.safetensors"), "holds no model.safetensors"),
    "damaged weights": (cut, "are damaged"),
    "empty weights": (lambda folder: (folder / "model.safetensors").write_bytes(b""), "are damaged"),
    "weights of less": (without_layer, "fc1.bias, layers.0.mlp.fc1.weight are missing, and would be random"),
    "config of more layers": (edit_config(num_hidden_layers=3), "and 27 more are missing, and would be random"),
    "config of another width": (edit_config(intermediate_size=128), "has the shape (64,) instead of (128,)"),
    "damaged processor": (
        lambda folder: (folder / "preprocessor_config.json").write_text("[1"),
        "no image processor that can be used here",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_spoilt_repositories(name, tmp_path, monkeypatch, capsys):
    change, expected = SPOILT[name]
    folder = spoil(save(KINDS["ViT"][0](), tmp_path / "whole"), tmp_path / "spoilt", change)
    code, message = hf_ssl(monkeypatch, capsys, "evaluate", folder, "--data", tmp_path)
    assert code == 2 and expected in message and "spoilt" in message, message
    assert "Traceback" not in message and len(message) < 500


def test_a_warm_start_needs_all_weights(photos, tmp_path, monkeypatch, capsys):
    folder = save(KINDS["ViT"][0](), tmp_path / "encoder")
    without_layer(folder)
    options = ("--data", photos, "--backbone", folder, "--output-dir", tmp_path / "out")
    code, message = hf_ssl(monkeypatch, capsys, "pretrain", "simclr", *options)
    assert code == 2 and "lacks 2 weights of its encoder, such as layers.0.mlp.fc1.bias" in message
    assert not (tmp_path / "out").exists()


def test_mistakes(photos, tmp_path, monkeypatch, capsys):
    text = tmp_path / "text"
    AutoModel.from_config(BertConfig(**TEXT)).save_pretrained(text)
    vit = save(KINDS["ViT"][0](), tmp_path / "vit")
    cases = {
        "text": ([text], "'bert' model, which reads input_ids: it is no encoder of images"),
        "nowhere": ([tmp_path / "nowhere"], "no file or folder"),
        "device": ([vit, "--device", "cuda:7"], "--device 'cuda:7' cannot be used here"),
        "no device": ([vit, "--device", "gpu"], "--device 'gpu' cannot be used here"),
        "dtype": ([vit, "--dtype", "bfloat"], "Did you mean 'bfloat16'?"),
        "batch": ([vit, "--batch-size", 0], "--batch-size must be at least 1"),
        "k": ([vit, "--data", photos, "--k", 500], "k = 500 neighbours, but the training set has"),
        "k of none": ([vit, "--data", photos, "--k", 0], "k = 0 neighbours"),
        "temperature": ([vit, "--data", photos, "--k", 3, "--temperature", 0], "temperature must be above 0"),
        "image processor": ([vit, "--image-processor", text], "text has no image processor"),
        "report": ([vit, "--json-file", tmp_path / "no" / "x.json"], "does not exist"),
    }
    for name, (arguments, expected) in cases.items():
        code, message = hf_ssl(monkeypatch, capsys, "evaluate", *arguments)
        assert code == 2 and expected in message and "Traceback" not in message, (name, message)


SPLIT = {"made_by": "20% of every class, data seed 3", "seed": 3, "test_fraction": 0.25, "test_sha256": "abc"}


@pytest.fixture
def run_folder(photos, tmp_path):
    """An encoder with the results.json of the run on `photos` that it comes from."""
    folder = save(KINDS["ViT"][0](), tmp_path / "run")
    (folder / "results.json").write_text(json.dumps({"run": {"dataset": "photos", "split": SPLIT}}))
    shutil.copytree(folder, folder / "checkpoints" / "checkpoint-5", ignore=lambda *_: ["results.json", "checkpoints"])
    return folder


def loaded(monkeypatch, split):
    """The arguments that `load_data` is called with; what it gives was split like this."""
    from hf_ssl.cli import evaluate as module

    calls = []

    def load_data(source, **arguments):
        calls.append(
            {k: v for k, v in arguments.items() if "column" not in k and k not in ("max_unreadable", "modality")}
        )
        data = module_load(source, **{k: v for k, v in calls[-1].items() if k in ("seed", "test_fraction")})
        data.split = split
        return data

    module_load = module.load_data
    monkeypatch.setattr(module, "load_data", load_data)
    return calls


AS_THEN = {"seed": 3, "test_fraction": 0.25}


@pytest.mark.parametrize(
    ("place", "asked", "test_images", "arguments", "said"),
    [
        ("", [], "abc", AS_THEN, None),
        ("checkpoints/checkpoint-5", [], "abc", AS_THEN, None),
        ("", ["--data-seed", 3], "abc", AS_THEN, None),
        ("", [], "def", AS_THEN, "other images were held out to test on: it may be evaluated on images that it was"),
        ("", ["--data-seed", 4], "def", AS_THEN | {"seed": 4}, "leave out --data-seed."),
        ("", ["--label-level", 2], "def", AS_THEN | {"label_level": 2}, "leave out --label-level."),
        (
            "",
            ["--split", "a", "--test-split", "b"],
            "def",
            AS_THEN | {"split": "a", "test_split": "b"},
            "leave out --sp",
        ),
    ],
)
def test_nothing_that_was_trained_on(
    place, asked, test_images, arguments, said, photos, run_folder, monkeypatch, capsys
):
    calls = loaded(monkeypatch, {"test_sha256": test_images})
    options = ("--data", photos, "--no-linear", "--device", "cpu")
    code, message = hf_ssl(monkeypatch, capsys, "evaluate", run_folder / place, *options, *asked)
    assert calls == [arguments]
    assert code == (2 if asked and said else 0) and (said or "") in message and ("trained" in message) == bool(said)


@pytest.mark.parametrize(
    "results",
    [
        {"run": {"dataset": "other photos", "split": SPLIT}},
        {"run": {"dataset": "photos"}},  # of an earlier version
        {"run": None},
        [1],
    ],
)
def test_runs_that_say_nothing_of_these_data(results, photos, run_folder, monkeypatch, capsys):
    (run_folder / "results.json").write_text(json.dumps(results))
    calls = loaded(monkeypatch, {"test_sha256": "def"})
    options = ("--data", photos, "--no-linear", "--device", "cpu", "--data-seed", 5)
    code, message = hf_ssl(monkeypatch, capsys, "evaluate", run_folder, *options)
    assert code == 0 and calls == [{"seed": 5}] and "trained" not in message


def test_few_images(photos, tmp_path, monkeypatch, capsys):
    few = tmp_path / "few"
    for label in ("bright", "dark"):
        (few / label).mkdir(parents=True)
        for i in range(3):
            shutil.copy(photos / label / f"{i}.png", few / label)
    vit = save(KINDS["ViT"][0](), tmp_path / "vit")
    monkeypatch.setattr("sys.argv", ["hf-ssl", "evaluate", str(vit), "--data", str(few)])
    from hf_ssl.cli import main

    with pytest.raises(SystemExit) as exit_info:
        main()
    shown = capsys.readouterr().out
    assert exit_info.value.code == 0 and "k = 4, T = 0.07. There are 4 labelled training images" in shown
    code, message = hf_ssl(monkeypatch, capsys, "evaluate", vit, "--data", few, "--k", 20)
    assert code == 2 and "k = 20 neighbours, but the training set has 4 images: use 1 to 4" in message


@pytest.fixture(scope="module")
def split_photos(photos, tmp_path_factory):
    """Folders to train on and to validate on, and an unlabelled one to test on."""
    root = tmp_path_factory.mktemp("split") / "mine"
    for split, numbers in {"train": range(6), "validation": range(6, 9)}.items():
        for label in ("bright", "dark"):
            (root / split / label).mkdir(parents=True)
            for i in numbers:
                shutil.copy(photos / label / f"{i}.png", root / split / label)
    (root / "test").mkdir()
    shutil.copy(photos / "dark" / "9.png", root / "test")
    return root


@pytest.mark.parametrize(
    ("seen", "asked", "said"),
    [
        ({}, [], None),
        ({}, ["--split", "validation"], None),
        ({}, ["--split", "validation", "--test-split", "train"], "was trained on 12 of the 12 images of"),
        ({"label_level": 0}, ["--label-level", 1], None),
        ({}, ["--test-split", "test"], "has no labels of the classes in its training part"),
        ({"label_level": 0}, [], "mine has no labels (label_level=0), which evaluation needs"),
    ],
)
def test_what_a_run_on_named_folders_was_trained_on(seen, asked, said, split_photos, tmp_path, monkeypatch, capsys):
    folder = save(KINDS["ViT"][0](), tmp_path / "run")
    split = load_data(split_photos, **seen).split | seen
    (folder / "results.json").write_text(json.dumps({"run": {"dataset": "mine", "split": split}}))
    options = ("--data", split_photos, "--no-linear", "--device", "cpu")
    code, message = hf_ssl(monkeypatch, capsys, "evaluate", folder, *options, *asked)
    assert code == (2 if said else 0) and (said or "") in message, message


@pytest.mark.parametrize(
    ("share", "code", "said"),
    [(None, 2, "None of"), (0.5, 0, "4 of 12 images in"), (0.1, 2, "more than the 1 that are accepted")],
)
def test_broken_images_are_listed(share, code, said, split_photos, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "data"
    shutil.copytree(split_photos / "train", folder)
    for file in sorted(folder.rglob("*.png")):
        if share is None or file.name in ("0.png", "1.png"):
            file.write_bytes(b"")
    vit = save(KINDS["ViT"][0](), tmp_path / "vit")
    options = () if share is None else ("--max-unreadable", share)
    monkeypatch.setattr(
        "sys.argv", ["hf-ssl", "evaluate", *map(str, (vit, "--data", folder, "--no-linear", *options))]
    )
    from hf_ssl.cli import main

    with pytest.raises(SystemExit) as exit_info:
        main()
    message = capsys.readouterr().err
    assert exit_info.value.code == code and said in message and "0.png: the file is empty" in message, message


def test_an_encoder_whose_windows_do_not_fit(photos, tmp_path, monkeypatch, capsys):
    swin = SwinConfig(embed_dim=8, depths=[1, 1], num_heads=[1, 1], window_size=7, image_size=32)
    folder = save(AutoModel.from_config(swin), tmp_path / "swin")
    code, message = hf_ssl(monkeypatch, capsys, "evaluate", folder, "--data", photos, "--device", "cpu")
    assert code == 2 and "cannot take the images that its image processor gives" in message, message
