"""Methods of other packages: as good as ours where they work, and no harm to ours where they do not."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hf_ssl.hub import validate_card
from hf_ssl.registry import METHODS, MethodInfo, get_method, list_methods, register_method
from hf_ssl.testing import build_model, build_views

from ..hub_server import HubServer

HERE = Path(__file__).parent
CONTRACT = """
from hf_ssl.testing import MethodContract

class TestNNCLR(MethodContract):
    methods = ("nnclr",)
"""
LOAD = """
import sys
import hf_ssl
from transformers import AutoImageProcessor, AutoModel, AutoModelForPreTraining
print("nnclr" in sys.modules)
where = {"pretrained_model_name_or_path": "me/nnclr", "subfolder": "pretraining"}
processor = AutoImageProcessor.from_pretrained(**where)
models = [auto.from_pretrained(**where) for auto in (AutoModelForPreTraining, AutoModel)]
print(*(type(thing).__name__ for thing in (processor, *models, AutoModel.from_pretrained("me/nnclr"))))
"""


def run(folder: Path, *command: object, **env: str) -> subprocess.CompletedProcess:
    """In a process of its own that has the packages in `folder` installed."""
    root = str(HERE.parents[1])
    path = os.pathsep.join([str(folder), root])
    env = {**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "", **env}
    return subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, env=env, cwd=folder)


def hf_ssl(folder: Path, *arguments: object, **env: str) -> subprocess.CompletedProcess:
    return run(folder, "-m", "hf_ssl", *arguments, **env)


def done(process: subprocess.CompletedProcess) -> str:
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-3000:]
    return process.stdout


@pytest.fixture(scope="module")
def nnclr(tmp_path_factory):
    """A folder with the package NNCLR as pip installs it."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    shutil.copytree(HERE / "nnclr", source, dirs_exist_ok=True)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    done(run(site, "-m", "pip", "install", *options, "--target", site, source))
    return site


@pytest.fixture(scope="module")
def trained(nnclr, tmp_path_factory):
    """What `hf-ssl pretrain nnclr` leaves after a few steps."""
    folder = tmp_path_factory.mktemp("run")
    generator = np.random.default_rng(0)
    for i in range(24):
        path = folder / "photos" / ("bright", "dark")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    words = ["--data", folder / "photos", "--output-dir", folder / "out", "--image-size", 32, "--max_steps", 3]
    words += ["--per_device_train_batch_size", 4, "--use_cpu", "--dataloader_num_workers", 0]
    said = done(hf_ssl(nnclr, "pretrain", "nnclr", *words))
    assert "NNCLR, recipe small" in said
    return folder / "out"


def test_it_is_listed_and_announced_without_an_import(nnclr):
    assert "nnclr           NNCLR           2021  joint embedding    arXiv:2104.14548" in done(
        hf_ssl(nnclr, "methods")
    )
    code = "import sys, hf_ssl; print(hf_ssl.list_methods('nn*'), {'nnclr', 'torch'} & {*sys.modules})"
    assert done(run(nnclr, "-c", code)) == "['nnclr'] set()\n"


def test_a_run_of_it_is_published_and_loaded_again(nnclr, trained, tmp_path):
    assert (trained / "config.json").is_file()
    config = json.loads((trained / "pretraining" / "config.json").read_text(encoding="utf-8"))
    assert config["model_type"] == "ssl_nnclr"
    card = (trained / "README.md").read_text(encoding="utf-8")
    assert validate_card(card) == [] and "stands in for it, so that other images count as positives" in card
    assert "from nnclr import NNCLRForPreTraining, NNCLRImageProcessor" in card
    assert "With hf_ssl and nnclr-for-hf-ssl, the whole method" in card
    with HubServer() as server:
        env = {"HF_ENDPOINT": server.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": "hf_write"}
        env["HF_HOME"] = str(tmp_path)
        assert "/me/nnclr/commit/" in done(hf_ssl(nnclr, "push", trained, "me/nnclr", **env))
        lines = done(run(nnclr, "-c", LOAD, **env)).splitlines()
    assert lines == ["False", "NNCLRImageProcessor NNCLRForPreTraining NNCLRModel ViTModel"]


@pytest.mark.parametrize(
    "first", ["from transformers import AutoConfig", "from transformers import AutoModel; import nnclr"]
)
def test_the_auto_classes_know_it_whoever_came_first(first, nnclr, trained):
    code = LOAD.replace("me/nnclr", str(trained)).replace("import hf_ssl\n", f"{first}; import hf_ssl\n")
    loaded = done(run(nnclr, "-c", code)).splitlines()[-1]
    assert loaded == "NNCLRImageProcessor NNCLRForPreTraining NNCLRModel ViTModel"


def test_it_passes_the_contract_suite(nnclr, tmp_path):
    (tmp_path / "test_nnclr.py").write_text(CONTRACT, encoding="utf-8")
    options = ["-q", "-x", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", tmp_path]
    said = done(run(nnclr, "-m", "pytest", *options, tmp_path / "test_nnclr.py"))
    assert " passed" in said and "failed" not in said and "skipped" not in said


def install(site: Path, package: str, code: str, name: str, value: str) -> None:
    """What pip leaves of a package of one module."""
    folder = site / f"{package}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    (folder / "entry_points.txt").write_text(f"[hf_ssl.methods]\n{name} = {value}\n", encoding="utf-8")
    (site / f"{package}.py").write_text(code, encoding="utf-8")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of packages, installed for the time of a test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    vars(METHODS).pop("installed", None)
    yield tmp_path
    vars(METHODS).pop("installed", None)


REFUSED = {
    "cannot be imported": (
        "import there_is_no_such_module",
        "other",
        "mine:OtherForPreTraining",
        "The package mine brings the method 'other', but mine cannot be imported (ModuleNotFoundError: No module "
        "named 'there_is_no_such_module'): upgrade or uninstall mine.",
    ),
    "registers nothing": (
        "",
        "other",
        "mine:OtherForPreTraining",
        "but mine does not register OtherForPreTraining under this name",
    ),
    "leads elsewhere": ("", "other", "mine", "The package mine announces the method 'other' as 'mine'"),
    "has a name of ours": (
        "",
        "simclr",
        "mine:SimCLRForPreTraining",
        "The package mine brings a method 'simclr', which hf_ssl has itself",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_package_that_does_not_work_is_named_and_harms_nobody(case, site):
    code, name, value, sentence = REFUSED[case]
    install(site, "mine", code, name, value)
    importlib.invalidate_caches()
    try:
        (problem,) = METHODS.load_all()
        assert sentence in problem and "\n" not in problem
        assert [method.name for method in METHODS.values()] == list(METHODS.built_in)
        if name != "simclr":
            with pytest.raises(ValueError) as raised:
                get_method(name)
            assert str(raised.value) == problem
        assert get_method("simclr").package == "hf_ssl"
    finally:
        sys.modules.pop("mine", None)


def test_the_commands_go_on_beside_a_broken_package(tmp_path):
    install(tmp_path, "mine", "1 / 0", "other", "mine:OtherForPreTraining")
    listed = hf_ssl(tmp_path, "methods")
    assert len(done(listed).splitlines()) == len(METHODS.built_in)
    assert listed.stderr.count("\n") == 1 and "ZeroDivisionError" in listed.stderr
    asked = hf_ssl(tmp_path, "pretrain", "other")
    assert asked.returncode == 2 and asked.stderr.startswith("hf-ssl: The package mine brings the method 'other'")


def test_two_packages_with_one_name_are_both_named(site):
    for package in ("theirs", "mine"):
        install(site, package, "", "other", f"{package}:OtherForPreTraining")
    with pytest.raises(ValueError, match="The packages mine and theirs both bring a method 'other'"):
        get_method("other")
    assert list_methods("oth*") == ["other"]


def test_the_worked_example_of_contributing_works(site):
    text = (HERE.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    *parts, test = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (value,) = re.findall(r'^my_twins = "(.*)"$', text, flags=re.MULTILINE)
    install(site, "my_twins", "\n".join(parts), "my_twins", value)
    importlib.invalidate_caches()
    try:
        output = build_model("my_twins", "resnet").train()(**build_views("my_twins"))
        output.loss.backward()
        assert output.loss.isfinite() and get_method("my_twins").module.MyTwinsModel.__module__ == "my_twins"
        names = {}
        exec(test, names)
        assert names["TestMyTwins"].methods == ("my_twins",)
        names["TestMyTwins"]().test_what_people_know_of_it_is_complete("my_twins")
    finally:
        METHODS.registered.pop("my_twins", None)
        sys.modules.pop("my_twins", None)


def parts(**changed):
    return {
        "name": "other",
        "info": MethodInfo("Other", "2104.14548", 2021, "joint embedding", "does something else"),
        "config": "configuration:OtherConfig",
        "pretraining": "modeling:OtherForPreTraining",
        "processor": "processing:OtherImageProcessor",
        "recipes": "recipes:RECIPES",
        **changed,
    }


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"name": "Other"}, "lower case letters"),
        ({"name": "dino", "config": "x:DinoConfig"}, "XConfig, XForPreTraining and XImageProcessor with one X"),
        ({"name": "simclr"}, "The packages hf_ssl and tests both bring a method 'simclr': rename one of them."),
        ({"config": METHODS["dino"].config_class, "pretraining": "x:DinoForPreTraining"}, "with one X"),
    ],
)
def test_a_call_that_cannot_be_meant_is_refused(changed, sentence):
    with pytest.raises(ValueError, match=sentence):
        register_method(**parts(**changed))
    assert "other" not in METHODS.registered
