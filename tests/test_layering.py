"""Who may import whom, and how long a file may be: the shape of the package, enforced."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "hf_ssl"
FILES = sorted(ROOT.rglob("*.py"))
KINDS = "audio_processing configuration conversion image_processing image_text_processing modeling "
KINDS += "one_view_image_processing pretraining processing recipe tokenization video_processing"
UTILS = {f"{kind}_utils" for kind in KINDS.split()}
# What knows nothing of machine learning: anything may import it.
BASE = {"_version", "utils", "modalities"}
# Importer -> what of hf_ssl it may import beside `BASE`. Methods are `methods.<name>`; anything may import itself.
ALLOWED = {
    **dict.fromkeys(BASE, set()),
    "": {
        *("registry", "auto_classes", "modeling_utils", "methods", "loading", "recipes"),
        *("data", "evaluation", "training", "hub"),
    },
    "__main__": {"cli"},
    "entry_points": set(),
    "method": UTILS | {"modalities"},
    "auto_classes": {"method", "registry"},
    "checks": set(),
    "configuration_utils": {"checks", "encoders"},
    "compat": set(),
    "recipe_utils": set(),
    "recipe_values": {"recipe_utils"},
    "tokenization_utils": set(),
    "conversion_utils": {"nn", "encoders", "checks"},
    "nn": set(),
    "encoders": {"nn", "augment"},
    "augment": set(),
    "data": {"checks"},
    "loading": UTILS | {"checks", "encoders", "registry"},
    "recipes": UTILS | {"checks", "backbones", "data", "encoders", "loading", "registry", "training"},
    "evaluation": {"checks", "nn", "encoders", "data", "loading"},
    "backbones": {"configuration_utils"},
    "pretraining_utils": set(),
    "training_hooks": {"nn"},
    "modeling_utils": {"nn", "encoders", "checks", "configuration_utils", "pretraining_utils", "training_hooks"},
    "processing_utils": {"configuration_utils"},
    "image_processing_utils": {"checks", "augment", "processing_utils"},
    "one_view_image_processing_utils": {"augment", "image_processing_utils"},
    "video_processing_utils": {"augment", "image_processing_utils"},
    "audio_processing_utils": {"checks", "augment", "processing_utils"},
    "image_text_processing_utils": {"image_processing_utils", "processing_utils", "tokenization_utils"},
    "bases": UTILS | {"nn", "encoders", "augment"},
    "methods": UTILS | {"bases", "recipe_values", "nn", "encoders", "augment", "training_hooks", "registry"},
    "training": UTILS | {"checks", "nn", "augment", "data", "encoders", "evaluation", "registry", "hub"},
    "registry": UTILS | {"method", "entry_points", "auto_classes"},
    "hub": UTILS | {"checks", "data", "encoders", "evaluation", "loading", "registry"},
    "cli": UTILS
    | {"checks", "nn", "encoders", "backbones", "loading", "recipes", "hub", "training", "evaluation", "data"}
    | {"registry"},
    "testing": UTILS | {"data", "nn", "backbones", "encoders", "training", "registry"},
}
MAY_ASK_FOR_ATTRIBUTES = {"modeling_utils.py"}


def name_of(file: Path) -> str:
    parts = list(file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(file: Path) -> set[str]:
    """Dotted names inside hf_ssl that a file imports, wherever in the file."""
    package = list(file.relative_to(ROOT).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
                module = [*base, *(node.module or "").split(".")] if node.module else base
            elif (node.module or "").split(".")[0] == "hf_ssl":
                module = node.module.split(".")[1:]
            else:
                continue
            found |= {".".join([*module, alias.name]) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name[7:] for alias in node.names if alias.name.startswith("hf_ssl.")}
    return found


def test_this_test_sees_imports():
    assert len(FILES) > 40
    assert "nn.losses.nt_xent" in imports_of(ROOT / "methods" / "simclr" / "modeling_simclr.py")
    assert "training.arguments.SSLTrainingArguments" in imports_of(ROOT / "training" / "trainer.py")


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_arrows_point_downward(file):
    own = name_of(file).split(".")
    for imported in imports_of(file):
        parts = imported.split(".")
        if parts[0] == own[0] and own[0] != "":
            if own[0] == "methods" and len(own) > 1:
                assert parts[1] == own[1], f"{file} imports another method: {imported}"
            continue
        assert parts[0] in BASE | ALLOWED[own[0]], f"{file} must not import {imported}"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_size_budget(file):
    lines = len(file.read_text(encoding="utf-8").splitlines())
    in_method = name_of(file).startswith("methods.")
    budget = 80 if file.name.startswith("configuration_") and in_method else 200 if in_method else 300
    assert lines <= budget, f"{file.name} has {lines} lines, its budget is {budget}"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_nobody_guesses_attributes(file):
    if file.name in MAY_ASK_FOR_ATTRIBUTES:
        return
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"getattr", "hasattr", "setattr"}


@pytest.mark.parametrize("file", sorted((ROOT.parent / "examples").glob("*.py")), ids=lambda f: f.name)
def test_examples_are_short(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 60


def test_nobody_else_names_methods():
    from hf_ssl.registry import METHODS

    for file in FILES:
        own = name_of(file).split(".")[0]
        if own not in ("methods", ""):  # the package names them for type checkers
            assert not any(name.startswith("methods") for name in imports_of(file)), file
    folders = {p.name for p in (ROOT / "methods").iterdir() if p.is_dir() and not p.name.startswith("__")}
    assert folders == set(METHODS.built_in)
