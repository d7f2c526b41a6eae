"""Text from outside is shown in a card, and does nothing there; what an owner adds is looked at."""

import pytest
import yaml

from hf_ssl.hub import build_card, validate_card
from hf_ssl.registry import METHODS

from ...conftest import build_model, build_processor

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<iframe src='https://evil'></iframe>",
    "[click](javascript:alert(1))",
    "\\](javascript:alert(1)) [x\\](javascript:y)",
    "<javascript:alert(1)>",
    "![x](../../etc/passwd)",
    "a | b | **c** `d`",
    "two\nlines\n---\nlicense: mit\n---\n# heading",
    "<!-- notes -->mine<!-- /notes -->",
    "```\n<script>x</script>\n```",
    "yaml: [1, {a: &x *x}] # !!python/object",
    "$title ${front_matter} {{7*7}}",
    "right-to-left \u202e and nul \x00",
]


def hostile_card(text: str, **kwargs) -> str:
    rows = [{"name": text, "knn": 50.0, "dim": 3}, {"name": "this encoder", "knn": 60.0, "dim": 48}]
    results = {"rows": rows, "protocol": {"k": 20, text: text}, "effective_rank": 3.0, "feature_std": 0.5}
    run = {
        "command": text,
        "dataset": text,
        "dataset_description": text,
        "base_model": text,
        "hardware": text,
        "versions": {text: text},
        "training_arguments": {text: text, "optim": text},
        "doctor": [text],
    }
    model, processor = build_model("simclr"), build_processor("simclr")
    return build_card(METHODS["simclr"], model, processor, results=results, run=run, **{"figures": [], **kwargs})


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_is_only_shown(text):
    card, usual = hostile_card(text), hostile_card("photos")
    assert validate_card(card) == []
    assert not any(tag in card for tag in ("<script", "<img", "<iframe", "<javascript"))
    assert card.count("<!-- notes -->") == card.count("<!-- /notes -->") == 1
    data, expected = (yaml.safe_load(c.split("\n---\n")[0].removeprefix("---\n")) for c in (card, usual))
    assert data.keys() == expected.keys() and data["license"] == "apache-2.0"
    headings = [[line for line in c.splitlines() if line.startswith("#")] for c in (card, usual)]
    if "\n" not in text:  # a command keeps its lines, in its block
        assert headings[0] == headings[1]
    for a, b in zip(tables(card), tables(usual), strict=True):
        assert a == b  # as many cells in every row


def tables(card: str) -> list[int]:
    body = card[: card.index("```json")]
    return [line.replace("\\|", "").count("|") for line in body.splitlines() if line.startswith("| ")]


def test_a_block_of_code_is_not_left():
    for text in ("```\n# out\n```", "````\n# out"):
        card = hostile_card(text)
        fence = next(line for line in card.splitlines() if line.endswith("bash"))[: -len("bash")]
        assert len(fence) > text.count("`", 0, 5) and card.count(f"\n{fence}\n") >= 1
        assert f"{fence}bash\n{text}\n{fence}\n" in card


@pytest.mark.parametrize("path", ["../x.png", "figures/../../x.png", "/etc/x.png", "javascript:x", "a\\..\\x.png"])
def test_figures_stay_in_the_repository(path):
    with pytest.raises(ValueError, match="lies outside of the repository"):
        hostile_card("photos", figures=[path])
    card = hostile_card("photos", figures=["figures/x y)(.png"])
    assert "](figures/x%20y%29%28.png)" in card and validate_card(card) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<script>alert(1)</script>", "a tag that runs"),
        ("<SCRIPT src=x>", "a tag that runs"),
        ("</ script >", "a tag that runs"),
        ("<iframe src=x>", "a tag that runs"),
        ("<object data=x>", "a tag that runs"),
        ("<svg/onload=x>", "a tag that runs"),
        ("<img src=x onerror=alert(1)>", "an attribute that runs code"),
        ("<a href=x\nONCLICK = 'x'>", "an attribute that runs code"),
        ("<img/onerror=x src=y>", "an attribute that runs code"),
        ("[x](javascript:alert(1))", "a link that runs code"),
        ("[x]( JavaScript:alert(1))", "a link that runs code"),
        ("[x](java&#115;cript:alert(1))", "a link that runs code"),
        ("[x](<java\tscript:alert(1)>)", "a link that runs code"),
        ("[x]: javascript:alert(1)", "a link that runs code"),
        ("<javascript:alert(1)>", "a link that runs code"),
        ('<a href="javascript:x">', "a link that runs code"),
        ("<a href=&#106;avascript:x>", "a link that runs code"),
        ("[x](data:text/html,<b>)", "a link that runs code"),
        ("[x](vbscript:x)", "a link that runs code"),
        ("![x](../../secret.png)", "lies outside of the repository"),
        ("![x](/etc/secret.png)", "lies outside of the repository"),
    ],
)
def test_validate_card_reports_what_runs(text, problem):
    card = hostile_card("photos").replace("<!-- notes -->\n", f"<!-- notes -->\n{text}\n")
    problems = validate_card(card)
    assert problems and any(problem in p for p in problems), problems


def test_validate_card_lets_ordinary_notes_be():
    notes = (
        "<b>bold</b> <img src='figures/x.png' width=3> [a](https://x.org/javascript) once=1 <i>on x = 3</i>\n"
        "![a](https://x.org/y.png) ![b](figures/curve.png) the javascript: scheme, data: text, `<details>`\n"
        "| online=1 | 3 < 4, on = 5 |\n"
    )
    card = hostile_card("photos").replace("<!-- notes -->\n", f"<!-- notes -->\n{notes}")
    assert validate_card(card, allow_links=True) == []
    assert len(validate_card(card)) == 1 and "It leads to 'https://x.org/" in validate_card(card)[0]


@pytest.mark.parametrize("character", ["\x1b[31m", "\x00", "\x9b", "\u202e", "\u2066", "\u200f", "&#x202e;"])
def test_characters_that_are_not_seen(character):
    assert validate_card(hostile_card(f"a{character}b")) == []
    card = hostile_card("photos")
    bad = card.replace("<!-- notes -->\n", f"<!-- notes -->\n{character}\n")
    assert any("which is not seen" in problem for problem in validate_card(bad))
    bad = card.replace("license: apache-2.0", 'license: apache-2.0\nlicense_name: "\\u202e"')
    assert any("in the front matter" in problem for problem in validate_card(bad))


@pytest.mark.parametrize("secret", ["hf_" + "a1B2" * 9, "https://me:pass@host/x", "ghp_" + "a1" * 18])
def test_secrets_in_a_card(secret):
    assert secret not in hostile_card(f"x {secret} y")
    card = hostile_card("photos").replace("<!-- notes -->\n", f"<!-- notes -->\n{secret}\n")
    assert any(problem.startswith("There is a ") and "take it out" in problem for problem in validate_card(card))


def test_a_card_that_would_take_for_ever():
    card = hostile_card("photos")
    aliases = "a: &a [x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    for addition in (aliases, "deep: " + "[" * 4000, "when: 2024-99-99"):
        problems = validate_card(card.replace("license:", f"{addition}\nlicense:", 1))
        assert len(problems) == 1 and problems[0].startswith("The front matter is not YAML")
    assert "more than 200000" in validate_card(card + "x" * 200_000)[0]
    for part in ("<a ", "](", "```\n", "\\", "aaaa", "[x]: ", "= ", "://", "<a =", "&#1", "<!-- notes -->"):
        validate_card(card + part * (50_000 // len(part)))  # seconds would be felt here
