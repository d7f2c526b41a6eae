"""What says the same in several files of the project says the same."""

import ast
import configparser
import re
import sys
from pathlib import Path

import yaml

from hf_ssl import __version__

ROOT = Path(__file__).parents[1]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_is_the_newest_that_the_changelog_and_the_citation_name():
    versions = re.findall(r"^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)$", read("CHANGELOG.md"), re.MULTILINE)
    citation = yaml.safe_load(read("CITATION.cff"))
    assert versions[0] == (__version__, str(citation["date-released"])) and citation["version"] == __version__


def test_hooks_run_what_ci_runs():
    pins = read("constraints.txt").splitlines()
    hooks = [
        hook for repository in yaml.safe_load(read(".pre-commit-config.yaml"))["repos"] for hook in repository["hooks"]
    ]
    assert hooks and all(pin in pins for hook in hooks for pin in hook["additional_dependencies"])


def test_every_requirement_is_pinned_within_its_range():
    setup = configparser.ConfigParser()
    setup.read_string(read("setup.cfg"))
    pins = dict(line.lower().replace("_", "-").split("==") for line in read("constraints.txt").splitlines())
    lines = [
        setup["options"]["install_requires"],
        *(setup["options.extras_require"][name] for name in ("demo", "test")),
    ]
    for line in "\n".join(lines).split("\n"):
        if found := re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)(?:,<\d+)?", line.strip()):
            name, lowest = found.groups()
            assert numbers(pins[name]) >= numbers(lowest), line
        else:
            assert line in ("", "hf_ssl[demo]"), line


def test_every_import_of_another_package_is_required():
    setup = configparser.ConfigParser()
    setup.read_string(read("setup.cfg"))
    lines = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    required = set(re.findall(r"^[\w-]+", "\n".join(lines), re.MULTILINE))
    called = {"scikit-learn": "sklearn", "scikit-image": "skimage", "pillow": "PIL", "pyyaml": "yaml"}
    known = {called.get(name, name.replace("-", "_")) for name in required} | {"hf_ssl"} | sys.stdlib_module_names
    optional = {"torchvision", "timm", "triton"}  # only where it is installed
    for path in (ROOT / "hf_ssl").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            unknown = {name.partition(".")[0] for name in names} - known - optional
            assert not unknown, f"{path} imports {unknown}, which setup.cfg does not name"


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def test_every_file_of_the_package_goes_into_the_wheel():
    data = {path.relative_to(ROOT / "hf_ssl") for path in (ROOT / "hf_ssl").rglob("*") if path.is_file()}
    kinds = {path.suffix for path in data if "__pycache__" not in path.parts}
    assert kinds == {".py", ".md", ".typed"}  # setup.cfg, [options.package_data], names them
