"""The list of private parts of transformers is complete, and what stands on it is there."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest
from transformers import PreTrainedConfig, PreTrainedModel, Trainer
from transformers.utils import cached_file
from transformers.utils.hub import cached_files

from hf_ssl.auto_classes import _TABLES
from hf_ssl.compat import AUTO_TABLES, CACHED_FILE, PRIVATE

ROOT = Path(__file__).parents[1] / "hf_ssl"
OWNERS = {"Trainer": Trainer, "PreTrainedModel": PreTrainedModel, "PreTrainedConfig": PreTrainedConfig}
# Where something of a class of transformers is overridden or called.
PLACES = {
    "Trainer": "training/*.py",
    "PreTrainedModel": "{modeling_utils.py,nn/*.py,encoders/*.py,methods/*/modeling_*.py}",
    "PreTrainedConfig": "{configuration_utils.py,nn/*.py,encoders/*.py,methods/*/configuration_*.py}",
}


def private_names(file: Path) -> set[str]:
    """What begins with one underscore and is an attribute, a method, or a field of a class."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in found if name.startswith("_") and not name.startswith("__")}


def files_of(pattern: str) -> list[Path]:
    return [file for part in pattern.strip("{}").split(",") for file in ROOT.glob(part)]


@pytest.mark.parametrize("name", PRIVATE)
def test_the_list_is_complete(name):
    owner, used = OWNERS[name], set()
    theirs = [base for base in owner.__mro__ if base.__module__.startswith("transformers")]
    own = {attribute for base in theirs for attribute in vars(base)}
    for file in files_of(PLACES[name]):
        used |= private_names(file) & own
    assert used == PRIVATE[name].keys(), f"{used ^ PRIVATE[name].keys()} of {name}"


def test_what_is_listed_is_there():
    for module, tables in AUTO_TABLES.items():
        found = vars(importlib.import_module(f"transformers.models.auto.{module}"))
        assert all(isinstance(found[table], dict) for table in tables)
    assert {(module, table) for module, tables in AUTO_TABLES.items() for table in tables} == {*_TABLES.values()}
    parameters = inspect.signature(cached_file).parameters
    inner = inspect.signature(cached_files).parameters
    assert all(name in parameters or name in inner for name in CACHED_FILE)
