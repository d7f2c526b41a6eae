"""The README and the pages of docs/ say what is so: links, names, and tables that follow from the code."""

import ast
import importlib
import re
from pathlib import Path

import pytest
from transformers import AutoConfig

from hf_ssl.encoders import ENCODERS, encoder_for
from hf_ssl.registry import METHODS, MethodInfo

ROOT = Path(__file__).parents[1]
WRITTEN_BY_SCRIPTS = {"reliability.md"}
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + [
    page for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in WRITTEN_BY_SCRIPTS
]


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    lines = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if link.startswith(("http", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


def test_the_readme_is_short_and_the_index_has_every_page():
    assert len(text_of(ROOT / "README.md").splitlines()) <= 155
    index = text_of(ROOT / "docs" / "README.md")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_code_imports_from_us_is_there(page):
    if page.name == "CONTRIBUTING.md":
        pytest.skip("a test of its own runs it")
    for block in re.findall(r"```python\n(.*?)```", text_of(page), re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "hf_ssl":
                for name in node.names:
                    assert hasattr(importlib.import_module(node.module), name.name), name.name


def test_commands_name_methods_that_there_are():
    for page in PAGES:
        for name in re.findall(r"hf-ssl (?:pretrain|convert) ([a-z]\w*)", text_of(page)):
            assert name in METHODS or page.name == "CONTRIBUTING.md", (page.name, name)


def test_every_family_is_listed_where_families_are_explained():
    for method in METHODS.values():
        assert f'"{method.info.family}"' in " ".join(MethodInfo.__doc__.split()), method.name


def test_every_method_is_listed():
    page = text_of(ROOT / "docs" / "methods.md")
    for name, method in METHODS.built_in.items():
        info = method.info
        link = f"[{info.title}](https://arxiv.org/abs/{info.paper})"
        assert f"| {link} | `{name}` | {info.year} | {info.family} | {info.idea} |" in page, name
    assert f"There are {len(METHODS.built_in)}:" in text_of(ROOT / "README.md")


def test_every_architecture_is_listed_with_its_embedding():
    page = text_of(ROOT / "docs" / "encoders.md")
    for kind in ENCODERS:
        contract = encoder_for(AutoConfig.for_model(kind)).contract()
        assert f"| `{kind}` | {contract.pooled} | `{contract.code}` |" in page, kind
