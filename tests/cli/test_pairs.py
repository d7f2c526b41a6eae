"""The whole job on a folder of images with captions: train, go on, evaluate, export, card, push."""

import json
import re

import pytest
import torch
from huggingface_hub import snapshot_download
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from hf_ssl.cli import evaluate, main
from hf_ssl.data import load_data
from hf_ssl.hub import push_folder, validate_card
from hf_ssl.loading import load_method
from hf_ssl.recipes import build
from hf_ssl.training import SSLTrainer, SSLTrainingArguments

from ..clean_process import check_of, run_checks

COLOURS = {"red": (220, 40, 40), "green": (40, 180, 60), "blue": (50, 60, 220)}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Twelve images in each of two folders, one of them without a caption."""
    root, rows = tmp_path_factory.mktemp("data") / "pairs", []
    for i, (place, folder) in enumerate((place, folder) for folder in ("wide", "high") for place in range(12)):
        colour = list(COLOURS)[place % 3]
        (root / folder).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (48, 36) if folder == "wide" else (36, 48), COLOURS[colour]).save(root / folder / f"{i}.png")
        rows.append({"file_name": f"{folder}/{i}.png", "text": f"a {folder} {colour} picture, №{i}" if i else ""})
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return root


def hf_ssl(*words):
    """The exit status of a command, in this process."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr("sys.argv", ["hf-ssl", *map(str, words)])
        main()
    return ended.value.code


def pretrain(pairs, output, steps, *more):
    arguments = ("--image-size", 32, "--max_steps", steps, "--save_steps", 2, "--per_device_train_batch_size", 8)
    words = ("--data", pairs, "--output-dir", output, *arguments, "--logging_steps", 1, "--use_cpu", *more)
    return hf_ssl("pretrain", "clip", *words)


@pytest.fixture(scope="module")
def run(pairs, tmp_path_factory):
    """A run that went on once: from step 2 to 4."""
    output = tmp_path_factory.mktemp("runs") / "run"
    assert pretrain(pairs, output, 2) == 0 and pretrain(pairs, output, 4) == 0
    return output


def test_a_run_of_pairs_leaves_everything_it_promises(run):
    record = json.loads((run / "results.json").read_text())
    assert record["run"]["resumed_from"] == 2 and record["run"]["steps"] == 4
    assert [row["name"] for row in record["evaluation"]["rows"]] == ["raw pixels", "random init", "this encoder"]
    assert record["run"]["split"]["train"] + record["run"]["split"]["test"] == 23
    assert any("logit_scale" in entry for entry in record["log"])
    figures = {path.stem for path in (run / "figures").iterdir()}
    assert {"curve", "views", "neighbours", "attention"} <= figures
    assert type(AutoModel.from_pretrained(run)).__name__ == "CLIPModel"
    card = (run / "README.md").read_text()
    assert validate_card(card) == [] and "pipeline_tag: zero-shot-image-classification" in card
    assert "lies in `vision/`; beside it are a `CLIPModel` at the root and a `CLIPTextModel` in `text/`" in card
    assert run_checks([check_of(card, run)])[0] <= 1e-4


def test_the_same_tokens_all_the_way(run):
    tables = [
        AutoTokenizer.from_pretrained(place).get_vocab()
        for place in (run, run / "text", run / "pretraining", next((run / "checkpoints").iterdir()))
    ]
    assert all(table == tables[0] for table in tables)
    _, model, processor = load_method(str(run))
    assert model.config.text_config.vocab_size == len(processor.tokenizer) == len(tables[0])


def test_it_is_pushed_and_loads_from_there(run, hub):
    push_folder(run, "me/pairs")
    place = snapshot_download("me/pairs")
    there, here = (load_file(f"{folder}/vision/model.safetensors") for folder in (place, run))
    assert there.keys() == here.keys() and all(torch.equal(there[name], here[name]) for name in here)
    assert not push_folder(run, "me/pairs").changed


def test_evaluate_and_card_take_the_encoder_of_the_images(run, pairs, capsys):
    assert hf_ssl("evaluate", run, "--data", pairs) == 0
    said = capsys.readouterr()
    width = json.loads((run / "vision" / "config.json").read_text())["hidden_size"]
    assert "Evaluated is the encoder in vision/, which the card is about" in said.err
    assert re.search(rf"this encoder .* {width}$", said.out, re.MULTILINE)
    assert evaluate.embedding_folder(str(run / "vision"), None) == ""
    before = (run / "README.md").read_text()
    assert hf_ssl("card", run) == 0
    assert (run / "README.md").read_text() == before


def test_from_python(pairs, tmp_path):
    data = load_data(pairs, captions=True)
    own = {"max_steps": 1, "per_device_train_batch_size": 8, "eval_strategy": "no", "use_cpu": True}
    model, processor, training = build("clip", "small", None, 32, data=data, training=own)
    args = SSLTrainingArguments(str(tmp_path), **training)
    SSLTrainer(model, args, processor, train_dataset=data.train).train()
    with pytest.raises(ValueError, match="learns its tokens from captions: give data that have some"):
        build("clip", "small", None, 32, data=load_data(pairs))


def test_data_without_captions_are_refused_before_anything_is_made(tmp_path, capsys):
    assert hf_ssl("pretrain", "clip", "--data", "photo-patches", "--output-dir", tmp_path / "out") != 0
    assert "has no captions" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
