"""`import hf_ssl` is quick, and then transformers knows the methods all the same, whoever came first."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hf_ssl
from hf_ssl.registry import METHODS

from .conftest import build_model, build_processor

_LOAD = """
import sys
folder = sys.argv[1]
config, processor = AutoConfig.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder)
print(*sorted({name.split(".")[2] for name in sys.modules if name.startswith("hf_ssl.methods.") and
      name.count(".") == 3}))
autos = (AutoModel, AutoModelForPreTraining, AutoModelForImageClassification)
models = [auto.from_pretrained(folder) for auto in autos]
print(*(type(thing).__name__ for thing in (config, processor, *models)))
print(models[1].push_to_hub.__func__.__module__)
"""
_CLASSES = "AutoConfig, AutoImageProcessor, AutoModel, AutoModelForImageClassification, AutoModelForPreTraining"
ORDERS = {
    "hf_ssl first": f"import hf_ssl\nfrom transformers import {_CLASSES}",
    "one Auto class first": f"from transformers import AutoConfig\nimport hf_ssl\nfrom transformers import {_CLASSES}",
}


def run(code: str, *arguments) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


@pytest.mark.parametrize("order", ORDERS)
def test_auto_classes_know_the_methods(order, tmp_path):
    build_model("simclr").save_pretrained(tmp_path)
    build_processor("simclr").save_pretrained(tmp_path)
    loaded, classes, home = run(ORDERS[order] + _LOAD, tmp_path)
    kinds = ("Config", "ImageProcessor", "Model", "ForPreTraining", "ForImageClassification")
    assert classes.split() == [f"SimCLR{kind}" for kind in kinds] and home == "hf_ssl"
    if order == "hf_ssl first":
        assert loaded == "simclr"  # of the others not one is imported


def test_import_is_light():
    code = (
        "import sys, hf_ssl; print(*{'torch', 'transformers', 'numpy', 'huggingface_hub', 'pytest'} & {*sys.modules})"
    )
    assert run(code + "; print(len(hf_ssl.METHODS))") == ["", str(len(METHODS))]


def test_every_public_name_is_there():
    for name in hf_ssl.__all__:
        assert name in dir(hf_ssl) and eval(f"hf_ssl.{name}") is not None
    for method in METHODS.built_in.values():
        outputs = {*method.module.__all__} - {*method.class_names}
        assert outputs <= {f"{method.stem}Output"} and {*method.class_names} <= {*method.module.__all__}
        assert all(eval(f"hf_ssl.{name}") is method.find(name) for name in method.module.__all__)
        assert method.module.RECIPES is method.recipes
    with pytest.raises(AttributeError, match="no attribute 'SimCLRKonfig'"):
        hf_ssl.SimCLRKonfig  # noqa: B018
    names = {}
    exec("from hf_ssl import *", names)
    assert names["SSLTrainer"] is hf_ssl.training.SSLTrainer and names.keys() >= {*hf_ssl.__all__}


def test_type_checkers_see_every_method():
    text = Path(hf_ssl.methods.__file__).read_text(encoding="utf-8")
    assert all(f"    from .{name} import *\n" in text for name in METHODS.built_in)
    assert "    from .methods import *\n" in Path(hf_ssl.__file__).read_text(encoding="utf-8")
    for method in METHODS.built_in.values():
        tree = ast.parse(Path(method.module.__file__).read_text(encoding="utf-8"))
        named = [a.asname or a.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for a in node.names]
        assert {*method.module.__all__} <= {*named}, method.name
