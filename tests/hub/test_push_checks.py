"""Only what the run made is pushed: its own weights, finite and together, with nothing that runs or tells a secret."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from hf_ssl.evaluation.report import ENCODER
from hf_ssl.files import sha256
from hf_ssl.hub import embedding_check, native_image_processor, published_files

from ..conftest import build_model, build_processor
from .test_publish import write

TOKEN = "hf_" + "aB3d" * 9


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write(tmp_path_factory.mktemp("repository") / "run", figures=["curve"])


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "run")


def hashes(folder):
    names = ("config.json", "model.safetensors", "preprocessor_config.json")
    return {path: sha256(folder / path) for name in names for path in (name, f"pretraining/{name}")}


def add_results(folder, **results):
    (folder / "results.json").write_text(json.dumps(results))


def edit(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def change_weights(path, change):
    weights = load_file(path)
    name = next(name for name in weights if name.endswith("cls_token"))
    weights[name] = change(weights[name])
    save_file(weights, path, {"format": "pt"})


def not_finite(weight):
    weight[..., 0] = torch.nan
    return weight


def test_what_a_run_made(folder):
    add_results(folder, export=hashes(folder), evaluation={"rows": []})
    assert published_files(folder).keys() == {*hashes(folder), "README.md", "results.json", "figures/curve.png"}


BREAKS = {
    "embeddings.cls_token that are no finite": lambda f: change_weights(f / "model.safetensors", not_finite),
    "backbone.embeddings.cls_token that are no finite": lambda f: change_weights(
        f / "pretraining" / "model.safetensors", not_finite
    ),
    r"differ \(.*cls_token\): export it again": lambda f: change_weights(f / "model.safetensors", lambda w: w + 1),
    r"differ \(layer_norm_eps\)": lambda f: edit(f / "config.json", layer_norm_eps=0.1),
    r"differ \(image_mean\)": lambda f: edit(f / "preprocessor_config.json", image_mean=[0.1, 0.2, 0.3]),
    "'auto_map', which makes a loader run code": lambda f: edit(f / "config.json", auto_map={"AutoModel": "x.Y"}),
    "pretraining/preprocessor_config.json has 'auto_map'": lambda f: edit(
        f / "pretraining" / "preprocessor_config.json", auto_map={"AutoImageProcessor": "x.Y"}
    ),
    "'_attn_implementation', which makes": lambda f: edit(f / "config.json", _attn_implementation="me/kernel"),
    "modeling.py could run code": lambda f: (f / "modeling.py").write_text("x"),
    "config.json holds a token": lambda f: edit(f / "config.json", note=TOKEN),
    "results.json holds a token": lambda f: add_results(f, command=f"x {TOKEN}"),
    "results.json holds a token: take": lambda f: (f / "results.json").write_text(
        json.dumps({"x": TOKEN}).replace("hf_", "\\u0068f_")
    ),
    "results.json holds a password in an address": lambda f: add_results(f, command="--data https://me:word@host/x"),
    "results.json holds the token in use": lambda f: add_results(f, command="--token in-use-x"),
    "curve.png holds a token": lambda f: (f / "figures" / "curve.png").write_bytes(b"\x89PNG " + TOKEN.encode()),
    "LICENSE holds a private key": lambda f: (f / "LICENSE").write_text("-----BEGIN PRIVATE KEY-----\nabc\n"),
    "safetensors holds a token": lambda f: save_file(
        load_file(f / "model.safetensors"), f / "model.safetensors", {"format": "pt", "by": TOKEN}
    ),
    r"holds the character \\u202e": lambda f: (f / "results.json").write_text('{"x": "\u202e"}', encoding="utf-8"),
    r"\\u202e.png has a name": lambda f: (f / "figures" / "\u202e.png").write_bytes(b"x"),
    r"results.json is not what a run writes \(is nested deeper": lambda f: (f / "results.json").write_text(
        "[" * 100_000
    ),
    "results.json is not what a run writes": lambda f: add_results(f, export=3),
    "is no text in UTF-8": lambda f: (f / "README.md").write_bytes(b"\xff\xfe"),
    "Nothing shows that .*results.json is of this encoder": lambda f: add_results(
        f, evaluation={"rows": [{"name": "this encoder", "knn": 50.0}]}
    ),
}


@pytest.mark.parametrize("expected", BREAKS)
def test_what_is_refused(folder, expected, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "in-use-x")
    BREAKS[expected](folder)
    with pytest.raises(ValueError, match=expected) as caught:
        published_files(folder)
    assert "\n" not in str(caught.value) and TOKEN not in str(caught.value)


def test_results_of_another_run(folder, tmp_path):
    made = hashes(folder)
    for export, name in (
        (made | {"model.safetensors": "0" * 64}, "model.safetensors"),
        ({path: value for path, value in made.items() if path != "config.json"}, "config.json"),
        (made | {"model-00001-of-00002.safetensors": "0" * 64}, "model-00001-of-00002.safetensors"),
    ):
        add_results(folder, export=export)
        with pytest.raises(ValueError, match=f"{name} is not what the run wrote, by the hashes"):
            published_files(folder)
    own, other = (
        embedding_check(
            build_model("simclr", seed=seed).native_encoder(), native_image_processor(build_processor("simclr"))
        )
        for seed in (0, 1)
    )
    add_results(folder, embedding_check=other)  # of a run before there were hashes
    with pytest.raises(ValueError, match="Nothing shows"):
        published_files(folder)
    add_results(folder, embedding_check=own, evaluation={"rows": [{"name": "this encoder", "knn": 50.0}]})
    assert "results.json" in published_files(folder)


def test_links_only_where_they_are_allowed(folder):
    card = (folder / "README.md").read_text()
    (folder / "README.md").write_text(card.replace("<!-- notes -->\n", "<!-- notes -->\n[x](https://e.com)\n"))
    with pytest.raises(ValueError, match="It leads to 'https://e.com'.*--allow-links"):
        published_files(folder)
    assert published_files(folder, allow_links=True)


def test_checks_draw_no_random_numbers(folder):
    before = torch.random.get_rng_state()
    published_files(folder)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_numbers_of_the_card_are_those_of_the_results(folder):
    card = folder / "README.md"
    index = {
        "name": "x",
        "results": [{"task": {"type": "image-classification"}, "dataset": {"type": "x", "name": "x"}}],
    }
    index["results"][0]["metrics"] = [{"type": "accuracy", "name": "kNN accuracy, %", "value": 71.5}]
    card.write_text(card.read_text().replace("---\n", f"---\nmodel-index: {json.dumps([index])}\n", 1))
    rows = [{"name": ENCODER, "knn": 71.5}, {"name": "pixels", "knn": 30.0}]
    add_results(folder, export=hashes(folder), evaluation={"rows": rows})
    published_files(folder)
    rows[0]["knn"] = 99.9
    add_results(folder, export=hashes(folder), evaluation={"rows": rows})
    with pytest.raises(ValueError, match=r"kNN accuracy, % of .*results.json is 99.9, .*card"):
        published_files(folder)
