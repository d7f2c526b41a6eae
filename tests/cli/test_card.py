"""`hf-ssl card` says what lies in the repository, keeps what its owner wrote, and never leaves half a card."""

import json
import re

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file, save_file

from hf_ssl.evaluation import EvaluationReport, EvaluationRow
from hf_ssl.hub import build_card, embedding_check, export_pretrained
from hf_ssl.hub.card.build import validate_card
from hf_ssl.registry import METHODS

from ..clean_process import check_of, run_checks
from ..conftest import build_model, build_processor
from ..methods.official.barlow_twins import barlow_twins
from .test_errors import hf_ssl

REPORT = EvaluationReport(
    [EvaluationRow("raw pixels", 1024, 20.0), EvaluationRow("this encoder", 48, 63.25)], 90, 30, 3, 33.3, 20.5, 0.5
).to_dict()
RUN = {"command": "hf-ssl pretrain simclr", "seed": 3, "dataset": "photo-patches", "doctor": []}


@pytest.fixture
def repository(tmp_path):
    """As a run leaves it, with a card that its owner has written notes into."""
    model, processor = build_model("simclr").eval(), build_processor("simclr")
    card = build_card(METHODS["simclr"], model, processor, results=None, run=None, figures=[])
    card = card.replace(
        "<!-- notes -->\n<!-- /notes -->", "<!-- notes -->\r\n\n mine: \\1 $x | ü\n\n\n<!-- /notes -->"
    )
    folder = export_pretrained(model, processor, tmp_path / "repository")
    (folder / "README.md").write_bytes(card.encode())
    (folder / "figures").mkdir()
    for name in ("views", "extra", "curve"):
        (folder / "figures" / f"{name}.png").write_bytes(b"png")
    check = embedding_check(model.native_encoder(), processor.native())
    found = {"run": RUN, "evaluation": REPORT, "embedding_check": check}
    (folder / "results.json").write_text(json.dumps(found))
    return folder


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_card_is_written_from_the_repository(repository, monkeypatch, capsys):
    before = files(repository)
    assert hf_ssl(monkeypatch, capsys, "card", repository, "--repo-id", "me/mine")[0] == 0
    text = (repository / "README.md").read_bytes().decode()
    assert validate_card(text) == [] and "<!-- notes -->\r\n\n mine: \\1 $x | ü\n\n\n<!-- /notes -->" in text
    for fact in (
        "| **this encoder** | **63.2** |",
        "hf-ssl pretrain simclr",
        "| seed | 3 |",
        "**Effective rank 20.5**",
    ):
        assert fact in text
    assert re.findall(r"\]\((figures/.*?)\)", text) == [f"figures/{x}.png" for x in ("curve", "views", "extra")]
    assert "found nothing" in text and 'AutoModel.from_pretrained("me/mine"' in text
    data = ModelCard(text).data
    assert data.license == "apache-2.0" and data.eval_results[0].metric_value == 63.25
    assert run_checks([check_of(text, repository)])[0] <= 1e-6
    assert hf_ssl(monkeypatch, capsys, "card", repository, "--repo-id", "me/mine")[0] == 0
    assert (repository / "README.md").read_bytes().decode() == text  # a rewrite changes nothing
    after = files(repository)
    assert {path for path in after if before.get(path) != after[path]} == {repository / "README.md"}
    assert before.keys() == after.keys()


def test_the_licence_stays_until_another_is_named(repository, monkeypatch, capsys):
    readme = repository / "README.md"
    own = "license: other\nlicense_name: mine\nlicense_link: LICENSE"
    readme.write_text(readme.read_text().replace("license: apache-2.0", own))
    assert hf_ssl(monkeypatch, capsys, "card", repository)[0] == 0
    assert own.splitlines() == [line for line in readme.read_text().splitlines() if line.startswith("license")]
    assert hf_ssl(monkeypatch, capsys, "card", repository, "--license", "cc-by-4.0")[0] == 0
    assert "license: cc-by-4.0" in readme.read_text() and "license_name" not in readme.read_text()
    readme.write_text("# my own page\n")
    code, message = hf_ssl(monkeypatch, capsys, "card", repository)
    assert code == 2 and "--license" in message and readme.read_text() == "# my own page\n"
    readme.unlink()
    (repository / "results.json").unlink()
    assert hf_ssl(monkeypatch, capsys, "card", repository)[0] == 0
    assert "license: apache-2.0" in readme.read_text() and "Nothing was measured" in readme.read_text()


def results(change):
    def spoil(folder):
        found = json.loads((folder / "results.json").read_text())
        change(found)
        (folder / "results.json").write_text(json.dumps(found))

    return spoil


def append(text):
    return lambda folder: (folder / "README.md").open("a").write(text)


def other_weights(part):
    def change(folder):
        weights = load_file(folder / part / "model.safetensors")
        weights = {name: 1.5 * t if t.ndim == 2 else t for name, t in weights.items()}
        save_file(weights, folder / part / "model.safetensors", {"format": "pt"})

    return change


def less_weights(folder):
    path = folder / "pretraining" / "model.safetensors"
    save_file({k: v for k, v in load_file(path).items() if "projector" not in k}, path, {"format": "pt"})


MISTAKES = {
    "no root": (lambda folder: (folder / "config.json").unlink(), [], "is no repository of hf_ssl"),
    "no method": (
        lambda folder: (folder / "pretraining" / "config.json").unlink(),
        [],
        "is no repository of hf_ssl",
    ),
    "notes without end": (append("\n<!-- notes -->\n"), [], "pair them up first"),
    "end without notes": (append("\n<!-- /notes -->\n"), [], "pair them up first"),
    "script in the notes": (
        append("<!-- notes --><script>x</script><!-- /notes -->"),
        [],
        "a tag that runs or loads something: '<script'",
    ),
    "licence": (lambda folder: None, ["--license", "apache"], "none that the Hub knows. Did you mean 'apache-2.0'?"),
    "id": (lambda folder: None, ["--repo-id", "me/mine/x"], "me/mine/x"),
    "no JSON": (
        lambda folder: (folder / "results.json").write_text("{"),
        [],
        "results.json is not what a run writes (is no JSON",
    ),
    "JSON of a list": (lambda folder: (folder / "results.json").write_text("[]"), [], "is not what a run writes"),
    "results of text": (results(lambda x: x.update(evaluation="good")), [], "is not what a run writes"),
    "rows of numbers": (results(lambda x: x["evaluation"].update(rows=[1])), [], "is not what a run writes"),
    "time of text": (results(lambda x: x["run"].update(seconds="long")), [], "is not what a run writes"),
    "no test images": (results(lambda x: x["evaluation"].update(num_test=0)), [], "is not what a run writes"),
    "check of text": (results(lambda x: x.update(embedding_check="same")), [], "is not what a run writes"),
    "another run": (
        results(lambda x: x["embedding_check"].update(first=[1.0] * 8)),
        [],
        "results.json is of another encoder",
    ),
    "another root": (other_weights(""), [], "at the root of"),
    "another method": (other_weights("pretraining"), [], "differ: export it again"),
    "missing heads": (less_weights, [], "are missing, or left over: projector"),
    "damaged": (
        lambda folder: (folder / "pretraining" / "model.safetensors").write_bytes(b"x" * 99),
        [],
        "are damaged",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_leave_the_card_alone(name, repository, monkeypatch, capsys):
    change, options, expected = MISTAKES[name]
    change(repository)
    before = files(repository)
    code, message = hf_ssl(monkeypatch, capsys, "card", repository, *options)
    assert code == 2 and expected in message and "Traceback" not in message, message
    assert files(repository) == before


def test_cards_of_export_and_convert_check_their_encoder_too(repository, tmp_path, monkeypatch, capsys):
    checkpoint = tmp_path / "barlow.pth"
    torch.save(barlow_twins().checkpoint, checkpoint)
    assert hf_ssl(monkeypatch, capsys, "export", repository, tmp_path / "exported")[0] == 0
    assert hf_ssl(monkeypatch, capsys, "convert", "barlow_twins", checkpoint, tmp_path / "converted")[0] == 0
    cards = {folder: (folder / "README.md").read_text() for folder in (tmp_path / "exported", tmp_path / "converted")}
    differences = run_checks([check_of(text, folder) for folder, text in cards.items()])
    assert len(differences) == 2 and all(difference <= 1e-6 for difference in differences)
    assert validate_card(cards[tmp_path / "converted"]) == []
