"""Secrets are found and hidden, in texts, in command lines, in the title of a process and in saved arguments."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hf_ssl.training import SSLTrainingArguments
from hf_ssl.utils import redaction
from hf_ssl.utils.files import write_json
from hf_ssl.utils.redaction import redacted, redacted_command, redacted_words, remember, secret_in

TOKEN = "hf_" + "aBcDeFgHiJ" * 3 + "klmn"


@pytest.fixture(autouse=True)
def no_other_secrets(monkeypatch):
    monkeypatch.setattr(redaction, "_in_use", set())
    monkeypatch.delenv("HF_TOKEN", raising=False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"the token {TOKEN}.", "the token ***."),
        ("hf_" + "a" * 34, "***"),
        (f"https://{TOKEN}@huggingface.co/x", "https://***@huggingface.co/x"),
        ("hf_oauth_eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.x-y_z", "***"),
        ("https://me:pass@host/x.zip", "https://***@host/x.zip"),
        ("GET https://s3/x?X-Amz-Signature=abc123&part=1", "GET https://s3/x?X-Amz-Signature=***&part=1"),
        ("authorization: Bearer abcdefgh12", "authorization: Bearer ***"),
        ("ghp_" + "a1" * 18, "***"),
        ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4\nAb/c+\n-----END RSA PRIVATE KEY-----", None),
    ],
)
def test_what_looks_like_a_secret(text, shown):
    assert secret_in(text) and secret_in(redacted(text)) is None
    assert redacted(text) == (shown or "-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----")
    assert json.loads(redacted(json.dumps([text, "after"])))[1] == "after"


@pytest.mark.parametrize(
    "text",
    [
        "hf_ssl/hf_selfsupervisedlearning: tokens of a ViT, cls_token, mask_token=True, token",
        "https://medium.com/@somebody/x, ssh://git@github.com/x, a@b.org, 10:30@noon, https://x.org/?q=token",
        "basic self-supervised-learning; bearer of news; task-self-supervised-vision-transformer-small-patch16",
        "sha256:" + "0123456789abcdef" * 4,
    ],
)
def test_ordinary_text_stays(text):
    assert redacted(text) == text and secret_in(text) is None


def test_the_token_in_use(monkeypatch):
    remember("correct horse")
    monkeypatch.setenv("HF_TOKEN", "battery")
    assert redacted("a correct horse, a battery") == "a ***, a ***" and secret_in("a battery") == "the token in use"
    remember("no")
    remember(None)
    assert redacted("no") == "no"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("--hub_token abc --seed 1", "--hub_token *** --seed 1"),
        ("--hub-token=abc --token --private", "--hub-token=*** --token --private"),
        ("--api_key k --password=p=q", "--api_key *** --password=***"),
        (f"--data https://u:p@h/x --run_name {TOKEN}", "--data https://***@h/x --run_name ***"),
    ],
)
def test_command_lines(words, shown):
    assert redacted_words(words.split()) == shown.split()
    assert redacted_command(words) == shown


def test_nobody_sees_the_command_line():
    code = (
        "import sys; from pathlib import Path; from hf_ssl.utils.redaction import command_line;"
        "words = command_line();"
        "print(words[1], sys.argv[2], Path('/proc/self/cmdline').read_text().count('secret' + '-one'))"
    )
    arguments = [sys.executable, "-c", code, "--token", "secret-one", "--data", "https://u:secret-one@h"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    seen = "0" if Path("/proc/self/cmdline").exists() else "?"
    assert done.stdout.split() == ["secret-one", "***", seen]


def test_json_files(tmp_path):
    write_json(tmp_path / "x.json", {"command": f"--token {TOKEN}", "seed": 1})
    assert json.loads((tmp_path / "x.json").read_text()) == {"command": "--token ***", "seed": 1}


def test_saved_arguments(tmp_path):
    args = SSLTrainingArguments(output_dir=str(tmp_path), hub_token=TOKEN, use_cpu=True)
    torch.save(args, tmp_path / "training_args.bin")
    assert TOKEN.encode() not in (tmp_path / "training_args.bin").read_bytes()
    again = torch.load(tmp_path / "training_args.bin", weights_only=False)
    assert again.hub_token is None and again.seed == args.seed
    assert TOKEN not in repr(args) + str(args) + args.to_json_string()
    assert copy.copy(args).hub_token == copy.deepcopy(args).hub_token == TOKEN
