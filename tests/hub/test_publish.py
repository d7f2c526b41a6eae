"""A push is one commit or none; whatever would be wrong is said before anything is uploaded."""

import copy
import json
import shutil

import pytest
import torch
from huggingface_hub import CommitOperationAdd, HfApi, constants
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForPreTraining

from hf_ssl.hub import build_card, export_pretrained, push_folder
from hf_ssl.registry import METHODS

from ..conftest import build_model, build_processor

FILES = {"README.md", "config.json", "model.safetensors", "preprocessor_config.json"} | {
    f"pretraining/{name}" for name in ("config.json", "model.safetensors", "preprocessor_config.json")
}


def write(folder, seed=0, method="simclr", figures=(), **options):
    """A repository as a run leaves it, with all that stays at home."""
    model, processor = build_model(method, seed=seed).eval(), build_processor(method)
    card = build_card(
        METHODS[method], model, processor, results=None, run=None, figures=[f"figures/{name}.png" for name in figures]
    )
    export_pretrained(model, processor, folder, card, **options)
    (folder / "figures").mkdir(exist_ok=True)
    for name in figures:
        (folder / "figures" / f"{name}.png").write_bytes(b"png of " + name.encode())
    (folder / "checkpoints" / "checkpoint-1").mkdir(parents=True, exist_ok=True)
    for name in ("run.json", ".env", "README.md.part", "optimizer.pt", "checkpoints/checkpoint-1/optimizer.pt"):
        (folder / name).write_bytes(b"secret")
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "repository", figures=["curve"])


def tree(hub, name="me/one", revision="main"):
    return hub.repo(name).find(revision).files


def commits(hub, name="me/one"):
    return len(hub.repo(name).history("main")) - 1  # the Hub makes the first


def equal(hub, folder, name="me/one", revision="main"):
    """The Hub holds exactly what of the folder is published."""
    files = {path: file.content for path, file in tree(hub, name, revision).items() if path != ".gitattributes"}
    ours = {path: (folder / path).read_bytes() for path in files if (folder / path).is_file()}
    return files == ours and FILES <= files.keys()


def test_one_commit_then_none(hub, folder):
    first = push_folder(folder, "me/one", tag="v1", commit_message="First", commit_description="because")
    assert first.changed and commits(hub) == 1 and equal(hub, folder)
    assert tree(hub).keys() == FILES | {".gitattributes", "figures/curve.png"}
    head = hub.repo("me/one").find("main")
    assert (head.title, head.description, head.oid) == ("First", "because", first.commit.oid)
    assert str(first.commit) == f"{hub.url}/me/one/commit/{head.oid}" and hub.repo("me/one").tags == {"v1": head.oid}
    before = len(hub.requests)
    again = push_folder(folder, "one", tag="v1")
    assert not again.changed and str(again.commit) == str(first.commit) and commits(hub) == 1
    assert all(line.startswith(("GET", "HEAD")) for line in hub.requests[before:])


def test_a_server_that_knows_less(hub, tmp_path):
    for question in ("/auth-check", "/refs"):
        hub.fail(question, 404, times=99)
    folder = write(tmp_path / "a")
    assert push_folder(folder, "me/one").changed and commits(hub) == 1 and equal(hub, folder)
    assert not push_folder(folder, "me/one").changed
    assert push_folder(write(tmp_path / "b", seed=1), "me/one", revision="small", tag="v1").changed
    assert commits(hub) == 1 and equal(hub, tmp_path / "b", revision="v1")


def test_what_is_no_longer_there_goes_in_the_same_commit(hub, tmp_path):
    folder = write(tmp_path / "a", figures=["curve", "views"], max_shard_size="60KB")
    (folder / "results.json").write_text("{}")
    (folder / "LICENSE").write_text("the owner's")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    push_folder(folder, "me/one")
    AutoModel.from_pretrained("me/one")
    api = HfApi()
    mine = {"notes.txt": b"mine", "figures/mine.png": b"mine", "eval/table.csv": b"mine"}
    api.create_commit("me/one", [CommitOperationAdd(*item) for item in mine.items()], commit_message="by hand")
    push_folder(write(tmp_path / "b", seed=1, figures=["curve"]), "me/one")
    assert tree(hub).keys() == FILES | {".gitattributes", "figures/curve.png", "LICENSE"} | mine.keys()
    assert commits(hub) == 3
    # In the same folder, sharded before and whole now: what no loader reads is not sent.
    push_folder(write(folder, seed=2), "me/two")
    assert not [path for path in tree(hub, "me/two") if "-of-" in path or path.endswith("index.json")]


def test_notes_on_the_hub_stay(hub, tmp_path):
    folder = write(tmp_path / "a")
    push_folder(folder, "me/one")
    card = (folder / "README.md").read_text().replace("<!-- notes -->\n", "<!-- notes -->\nBeware of cats.\n")
    HfApi().upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id="me/one")
    assert not push_folder(folder, "me/one").changed
    push_folder(write(tmp_path / "b", seed=1), "me/one")
    assert b"<!-- notes -->\nBeware of cats.\n<!-- /notes -->" in tree(hub)["README.md"].content
    readme = tmp_path / "b" / "README.md"
    readme.write_text(readme.read_text().replace("<!-- notes -->\n", "<!-- notes -->\nOr dogs.\n"))
    push_folder(tmp_path / "b", "me/one")
    assert b"Beware" not in tree(hub)["README.md"].content and b"Or dogs." in tree(hub)["README.md"].content


def test_branches_tags_and_pull_requests(hub, tmp_path):
    old, new = write(tmp_path / "a"), write(tmp_path / "b", seed=1)
    push_folder(old, "me/one", tag="v1")
    push_folder(new, "me/one", revision="small", tag="v2")
    assert equal(hub, old) and equal(hub, new, revision="small") and equal(hub, new, revision="v2")
    assert commits(hub) == 1 and len(hub.repo("me/one").history("small")) == 3
    before = copy.deepcopy(hub.store.repos)
    for arguments, expected in {
        ("main", "v1"): "has the tag 'v1' already, at commit .* with other content",
        ("main", "small"): "'small' is a branch",
        ("main", "fresh tag"): "cannot be the name",
        ("v1", None): "'v1' is a tag of me/one",
        ("0" * 40, None): "is a commit",
        ("a..b", None): "cannot be the name",
    }.items():
        with pytest.raises(ValueError, match=expected):
            push_folder(new, "me/one", revision=arguments[0], tag=arguments[1])
    assert hub.store.repos == before and hub.requested("POST .*/preupload/") == 2
    proposal = push_folder(new, "me/one", create_pr=True, token="hf_other")
    assert proposal.commit.pr_revision == "refs/pr/1" and equal(hub, old) and equal(hub, new, revision="refs/pr/1")
    with pytest.raises(ValueError, match="tag it when it is merged"):
        push_folder(new, "me/one", create_pr=True, tag="v3")


def test_private(hub, folder):
    push_folder(folder, "me/one", private=True)
    assert hub.repo("me/one").private
    push_folder(folder, "me/public")
    with pytest.raises(ValueError, match="me/public is public"):
        push_folder(folder, "me/public", private=True)


def broken(folder, name):
    """Make one thing of a repository wrong."""
    if name == "results.json":
        (folder / "elsewhere.json").write_text("{}")
        (folder / name).symlink_to(folder / "elsewhere.json")
    elif name == "figures":
        shutil.rmtree(folder / name)
        (folder / name).symlink_to(folder.parent)
    elif name.endswith((".bin", ".pth")):
        (folder / name).write_bytes(b"\x80")
    elif name == "card":
        (folder / "README.md").write_text("# nothing\n")
    elif name == "keys":
        weights = load_file(folder / "model.safetensors")
        weights["extra"] = weights.pop("embeddings.cls_token")
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    elif name == "shapes":
        weights = load_file(folder / "pretraining" / "model.safetensors")
        save_file({k: v.flatten()[:3] for k, v in weights.items()}, folder / "pretraining" / "model.safetensors")
    elif name == "damaged":
        (folder / "model.safetensors").write_bytes(b"{}")
    elif name == "raw":
        shutil.copytree(folder / "pretraining", folder, dirs_exist_ok=True)
    else:
        (folder / name).unlink()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("config.json", "it lacks config.json"),
        ("model.safetensors", "it lacks model.safetensors"),
        ("pretraining/config.json", "it lacks pretraining/config.json"),
        ("pretraining/model.safetensors", "it lacks pretraining/model.safetensors"),
        ("preprocessor_config.json", "it lacks preprocessor_config.json"),
        ("README.md", "it lacks README.md"),
        ("card", "README.md is not sound: There is no YAML front matter"),
        ("pytorch_model.bin", "pytorch_model.bin could run code"),
        ("pretraining/queue.pth", "queue.pth could run code"),
        ("results.json", "results.json is a link"),
        ("figures", "figures is a link"),
        ("keys", "missing or left over are .*cls_token"),
        ("shapes", "damaged, or do not fit"),
        ("damaged", "damaged, or do not fit"),
        ("raw", "model_type 'ssl_simclr', where a native encoder belongs"),
    ],
)
def test_a_folder_that_is_no_repository(hub, folder, name, expected):
    broken(folder, name)
    with pytest.raises(ValueError, match=expected):
        push_folder(folder, "me/one")
    assert hub.requests == []


def test_foreign_content_stays(hub, folder):
    api = HfApi()
    api.create_repo("me/one")
    config = json.dumps({"model_type": "vit"}).encode()
    foreign = {"README.md": b"# mine", "pretraining/config.json": config, "tokenizer.json": b"{}"}
    api.create_commit("me/one", [CommitOperationAdd(*item) for item in foreign.items()], commit_message="mine")
    sent = hub.requested("POST|PUT")
    with pytest.raises(ValueError, match="something that hf_ssl did not publish: .*--overwrite"):
        push_folder(folder, "me/one")
    assert hub.requested("POST|PUT") == sent
    push_folder(folder, "me/one", overwrite=True)
    assert commits(hub) == 2 and equal(hub, folder) and "tokenizer.json" not in tree(hub)


def test_clear_errors(hub, folder, monkeypatch):
    push_folder(folder, "me/one")
    changed = (folder / "README.md").read_text() + "\nmore\n"
    (folder / "README.md").write_text(changed)
    before = copy.deepcopy(hub.store)
    for token, name, kind, expected in [
        (False, "me/one", ValueError, "no token to push to me/one with: log in with `hf auth login`"),
        ("hf_read", "me/one", ValueError, "token may not write to me/one .*write access"),
        ("hf_other", "me/one", ValueError, "token may not write to me/one"),
        ("hf_other", "me/two", ValueError, "token may not write to me/two"),
        ("hf_unknown", "me/one", ValueError, "does not know this token"),
        (None, "a/b/c", ValueError, "a/b/c"),
        (None, "me/two words", ValueError, "two words"),
    ]:
        with pytest.raises(kind, match=expected) as caught:
            push_folder(folder, name, token=token)
        assert "\n" not in str(caught.value)
    for pattern, status, message, expected in [
        ("GET .*/refs", 503, "down", r"busy or out of order \(503: .*down.*\): push again later"),
        ("POST .*/commit/", 503, "down", "busy or out of order"),
        ("POST .*/commit/", 429, "slow", "429"),
        ("POST .*/commit/", 400, "no such file", "refuses this push to me/one .*no such file"),
        ("POST /api/validate-yaml", 400, "bad licence", "refuses the card: Invalid metadata"),
        ("POST .*/commit/", 412, "late", "Somebody else pushed to me/one at the same time"),
    ]:
        hub.fail(pattern, status, message)
        with pytest.raises((ValueError, OSError), match=expected) as caught:
            push_folder(folder, "me/one")
        assert "\n" not in str(caught.value)
        hub.release()
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ValueError, match="no token"):
        push_folder(folder, "me/one")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match="HF_HUB_OFFLINE is set"):
        push_folder(folder, "me/one", token="hf_write")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(OSError, match="The Hub at http://127.0.0.1:9 cannot be reached"):
        push_folder(folder, "me/one", token="hf_write")
    assert before.repos == hub.store.repos


def test_nothing_of_another_is_lost(hub, tmp_path):
    folder = write(tmp_path / "a")
    push_folder(folder, "me/one")
    new = write(tmp_path / "b", seed=1)
    api = HfApi()
    hub.meanwhile(
        "POST .*/preupload/",
        lambda: api.create_commit("me/one", [CommitOperationAdd("x", b"x")], commit_message="theirs"),
    )
    with pytest.raises(OSError, match="Somebody else pushed"):
        push_folder(new, "me/one")
    assert hub.repo("me/one").find("main").title == "theirs"
    push_folder(new, "me/one")
    assert "x" in tree(hub) and commits(hub) == 3


def test_push_to_hub_of_a_model(hub):
    model, processor = build_model("dino").eval(), build_processor("dino")
    with pytest.raises(ValueError, match="processor=..."):
        model.push_to_hub("me/one")
    with pytest.raises(ValueError, match="push_to_hub"):
        model.save_pretrained("me/one", push_to_hub=True)
    assert hub.requests == []
    options = {"tags": ["texture", "dino"], "license": "cc-by-4.0", "max_shard_size": "60KB", "private": True}
    model.push_to_hub("me/one", processor=processor, commit_message="Mine", tag="v1", **options)
    head = hub.repo("me/one").find("main")
    assert head.title == "Mine" and hub.repo("me/one").private and hub.repo("me/one").tags == {"v1": head.oid}
    assert "model.safetensors.index.json" in head.files and "pretraining/model.safetensors.index.json" in head.files
    card = head.files["README.md"].content.decode()
    assert "- texture\n" in card and card.count("- dino\n") == 1 and "license: cc-by-4.0" in card
    assert 'from_pretrained("me/one")' in card
    card = card.replace("<!-- notes -->\n", "<!-- notes -->\nBeware.\n")
    HfApi().upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id="me/one")
    build_model("dino", seed=1).push_to_hub("me/one", processor=processor)
    files = tree(hub)
    assert b"Beware." in files["README.md"].content and b"license: cc-by-4.0" in files["README.md"].content
    assert files.keys() == FILES | {".gitattributes"} and commits(hub) == 3
    again = AutoModelForPreTraining.from_pretrained("me/one", subfolder="pretraining", revision="v1")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
