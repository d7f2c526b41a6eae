"""What a Trainer pushes is what `export_pretrained` writes, in one commit each; its checkpoint is never the root."""

import json
import logging

import pytest
import torch
from transformers import AutoModel, AutoModelForPreTraining

from hf_ssl.hub import validate_card

from ..conftest import build_processor
from .test_resume import build_trainer

LAYOUT = {".gitattributes", "README.md", "config.json", "model.safetensors", "preprocessor_config.json"} | {
    f"pretraining/{name}" for name in ("config.json", "model.safetensors", "preprocessor_config.json")
}


def trainer_for(folder, method="simclr", **arguments):
    arguments = {"push_to_hub": True, "hub_model_id": "me/one", "max_steps": 2, "hub_strategy": "end"} | arguments
    return build_trainer(method, "vit", folder, **arguments)


def history(hub):
    """Newest first, without the Hub's own."""
    return hub.repo("me/one").history("main")[:-1]


def same(encoder, model):
    ours = model.native_encoder().state_dict()
    return all(torch.equal(tensor, ours[name]) for name, tensor in encoder.state_dict().items())


def test_push_to_hub_is_one_commit(hub, tmp_path):
    trainer = trainer_for(tmp_path, method="dino")
    assert trainer.hub_model_id == "me/one" and history(hub) == []
    trainer.train()
    assert history(hub) == []
    commit = trainer.push_to_hub(tags="texture", license="mit", dataset="owner/pictures")
    head = hub.repo("me/one").find("main")
    assert [c.oid for c in history(hub)] == [commit.oid] and head.title == "End of training"
    assert head.files.keys() == LAYOUT and json.loads(head.files["config.json"].content)["model_type"] == "vit"
    card = head.files["README.md"].content.decode()
    assert (
        validate_card(card) == []
        and "- texture" in card
        and "license: mit" in card
        and "| optimizer steps | 2 |" in card
    )
    assert "owner/pictures" in card
    assert same(AutoModel.from_pretrained("me/one"), trainer.model)
    assert trainer.push_to_hub(tags="texture", dataset="owner/pictures").oid == commit.oid  # the licence stays
    assert trainer.push_to_hub(blocking=False, tags="texture", dataset="owner/pictures").result().oid == commit.oid
    with pytest.raises(ValueError, match="no place for language"):
        trainer.push_to_hub(language="en")


def test_training_goes_on_from_a_tag(hub, tmp_path):
    first = trainer_for(tmp_path / "a")
    first.train()
    first.push_to_hub()
    hub.repo("me/one").tags["v1"] = hub.repo("me/one").branches["main"]
    second = trainer_for(tmp_path / "b", push_to_hub=False)
    second.model = AutoModelForPreTraining.from_pretrained("me/one", subfolder="pretraining", revision="v1")
    second.model_wrapped = second.model
    second.train()
    second.push_to_hub(commit_message="Two more steps")
    assert [c.title for c in history(hub)] == ["Two more steps", "End of training"]
    assert same(AutoModel.from_pretrained("me/one", revision="v1"), first.model)
    assert same(AutoModel.from_pretrained("me/one"), second.model)
    assert not same(AutoModel.from_pretrained("me/one"), first.model)


@pytest.mark.parametrize(
    ("strategy", "titles", "folders"),
    [
        ("end", [], set()),
        ("every_save", ["step 2", "step 1"], set()),
        ("checkpoint", ["step 2, checkpoint", "step 2", "step 1, checkpoint", "step 1"], {"last-checkpoint"}),
        (
            "all_checkpoints",
            ["step 2, checkpoint", "step 2", "step 1, checkpoint", "step 1"],
            {"checkpoint-1", "checkpoint-2"},
        ),
    ],
)
def test_strategies(hub, tmp_path, strategy, titles, folders):
    saves = {"save_strategy": "steps", "save_steps": 1, "hub_always_push": True}
    trainer = trainer_for(tmp_path, hub_strategy=strategy, hub_token="hf_write", **saves)
    trainer.train()
    assert [c.title.removeprefix("Training in progress, ") for c in history(hub)] == titles
    for commit in history(hub):
        rest = commit.files.keys() - LAYOUT
        assert LAYOUT <= commit.files.keys() and {path.split("/")[0] for path in rest} <= folders
        assert json.loads(commit.files["config.json"].content)["model_type"] == "vit"
    if folders:
        files = hub.repo("me/one").find("main").files
        assert all(f"{folder}/optimizer.pt" in files for folder in folders)
        assert not any(path.endswith("training_args.bin") for path in files)  # it may hold a token
        assert not any(b"hf_write" in file.content for file in files.values())
    trainer.save_model()  # pushes, as ever
    last = history(hub)[0].files
    assert {path for path in last if "/" not in path} == {path for path in LAYOUT if "/" not in path}
    assert same(AutoModel.from_pretrained("me/one"), trainer.model)


@pytest.mark.parametrize(
    ("strategy", "failing", "titles"),
    [("every_save", 1, ["step 2"]), ("checkpoint", 2, ["step 2, checkpoint", "step 2", "step 1"])],
)
def test_a_push_that_fails_does_not_end_the_training(hub, tmp_path, caplog, strategy, failing, titles):
    saves = {"save_strategy": "steps", "save_steps": 1, "hub_always_push": True}
    trainer = trainer_for(tmp_path, hub_strategy=strategy, **saves)
    hub.fail("POST .*/commit/", 503, "down", nth=failing)
    with caplog.at_level(logging.WARNING):
        assert trainer.train().global_step == 2
    assert "A push during training failed: The Hub is busy or out of order" in caplog.text
    assert [c.title.removeprefix("Training in progress, ") for c in history(hub)] == titles


def test_what_cannot_be_pushed_is_said_before_training(hub, tmp_path):
    for arguments, expected in [
        ({"hub_token": "hf_read"}, "may not write"),
        ({"hub_model_id": "other/one"}, "may not write to other/one"),
        ({"hub_model_id": "a/b/c"}, "a/b/c"),
    ]:
        with pytest.raises(ValueError, match=expected):
            trainer_for(tmp_path, **arguments)


def test_create_model_card(tmp_path):
    trainer = trainer_for(tmp_path, push_to_hub=False)
    trainer.create_model_card(tags=["texture"], finetuned_from="facebook/dinov2-small")
    readme = tmp_path / "README.md"
    card = readme.read_text()
    assert validate_card(card) == [] and "base_model: facebook/dinov2-small" in card and "- texture" in card
    assert "SimCLR" in card and build_processor("simclr").inference_size == 32
    readme.write_text(card.replace("<!-- notes -->\n", "<!-- notes -->\nMine.\n"))
    trainer.create_model_card()
    assert "Mine." in readme.read_text()
