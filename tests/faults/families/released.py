"""Public checkpoints for `hf-ssl convert`: the file, its pickle, its tensors."""

import os
import pickle
import random
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from .. import doors
from ..cases import Case, equal_to, never
from ..damage import BYTES, misspelt
from .archives import _Marks

# Some of `tests.methods.official.LAYOUTS`.
LAYOUTS = (
    "moco_v2",
    "barlow_twins",
    "dino",
    "mae",
    "byol, byol-pytorch",
    "byol, solo-learn",
    "supervised, resnet",
    "simsiam",
)


def make_released(folder: Path) -> None:
    """One checkpoint of every layout, `LAYOUT-METHOD.pth`."""
    from ...methods.official import LAYOUTS as make

    folder.mkdir()
    with torch.no_grad():
        for layout in LAYOUTS:
            made = make[layout]()
            torch.save(made.checkpoint, folder / f"{layout}-{made.method}.pth")


def controls(home: Path) -> dict[str, Callable[[], dict]]:
    def opened(file: Path) -> Callable[[], dict]:
        def run() -> dict:
            shutil.copy(file, "file.pth")
            return doors.converted(file.stem.rpartition("-")[2], "file.pth")

        return run

    return {f"released {file.stem}": opened(file) for file in sorted((home / "released").iterdir())}


def _tensors(value: Any, found: list, path: tuple = ()) -> list:
    """(container, key) of every tensor."""
    if isinstance(value, Mapping):
        for key in value:
            if isinstance(value[key], torch.Tensor):
                found.append((value, key))
            else:
                _tensors(value[key], found)
    return found


def case(rng: random.Random, home: Path, known: dict) -> Case:
    source = rng.choice(sorted((home / "released").iterdir()))
    method = source.stem.rpartition("-")[2]
    file, meant, detail = Path("file.pth"), "refused", source.stem
    way = rng.choice(
        ["bytes", "bytes", "zip", "pickle", "code", "tensor", "tensor", "tensor", "names", "names", "file"]
    )
    if way == "bytes":
        data = source.read_bytes()
        name = rng.choice(
            ["cut", "bytes inserted", "bytes removed", "zeroed", "bytes appended", "lengths to 0 or all"]
        )
        meant = "equal"
        if name in ("zeroed", "lengths to 0 or all"):  # the pickle at the start, not the tensors
            start = data.index(b"data.pkl") + 8
            file.write_bytes(data[:start] + BYTES[name](data[start : start + 4000], rng) + data[start + 4000 :])
        else:
            file.write_bytes(BYTES[name](data, rng))
        way = f"bytes: {name}"
    elif way == "zip":
        form = _zip(rng, source, file)
        way, meant = f"zip: {form}", "equal" if form == "a member more" else "refused"
    elif way in ("pickle", "code"):
        checkpoint = _read(source)
        if way == "code":
            form = rng.choice(["inside", "whole", "protocol 2", "object of torch"])
            held = {**checkpoint, "x": _Marks()} if form != "whole" else _Marks()
            if form == "protocol 2":
                file.write_bytes(pickle.dumps(held, protocol=2))
            elif form == "object of torch":
                torch.save({**checkpoint, "x": torch.nn.Linear(2, 2)}, file)
            else:
                torch.save(held, file)
            way = f"code: {form}"
        else:
            way = f"pickle: {_odd_pickle(rng, checkpoint, file)}"
            meant = "equal"
    elif way in ("tensor", "names"):
        checkpoint = _read(source)
        places = [p for p in _tensors(checkpoint, []) if isinstance(p[1], str) and p[0][p[1]].numel() > 4]
        places = [p for p in places if "optimizer" not in str(p[1]) and len(p[0]) > 5]
        container, key = rng.choice(places)
        detail += f" {key}"
        if way == "tensor":
            way, container[key] = _odd_tensor(rng, container[key])
            way = f"tensor: {way}"
        else:
            form = rng.choice(["missing", "misspelt", "extra", "empty", "number", "null", "text", "twice deep"])
            old = container.pop(key)
            if form == "misspelt":
                container[misspelt(key, rng)] = old
            elif form == "extra":
                container[key], container["\u202ex.y"] = old, torch.ones(3)
            elif form == "empty":
                container.clear()
            elif form in ("number", "null", "text"):
                container[key] = {"number": 5, "null": None, "text": "x"}[form]
            elif form == "twice deep":
                container[key] = {key: old}
            way = f"names: {form}"
            if form != "empty":
                meant = "equal"  # the parts that a method can do without start anew, and that is said
        if rng.random() < 0.2 and all(
            isinstance(v, torch.Tensor) and v.layout is torch.strided for v in container.values()
        ):
            file = Path("file.safetensors")
            try:
                save_file({str(k): v.contiguous().clone() for k, v in container.items()}, file)
                meant = meant if meant == "refused" else "another"
            except Exception:
                torch.save(checkpoint, file := Path("file.pth"))
        else:
            torch.save(checkpoint, file)
    else:
        ways: dict[str, Callable] = {
            "missing": lambda f: None,
            "folder": lambda f: f.mkdir(),
            "pipe": os.mkfifo,
            "zeros": lambda f: f.symlink_to("/dev/zero"),
            "empty": lambda f: f.touch(),
            "text": lambda f: f.write_text("x"),
            "link to itself": lambda f: f.symlink_to(f.name),
            "other method": lambda f: shutil.copy(_other(rng, home, method), f),
        }
        form = rng.choice(sorted(ways))
        ways[form](file)
        way = f"file: {form}"
    expected = known[f"released {source.stem}"]
    judge = never if meant == "refused" else equal_to(expected)
    if meant == "another" or way.startswith("names"):
        judge = _finite
    return Case(way, "convert", lambda: doors.converted(method, str(file)), judge, detail=detail)


def _read(source: Path) -> dict:
    return torch.load(source, weights_only=False)  # made here


def _finite(found: dict) -> str:
    """A part that is not there starts anew, and is named: what came in has been looked at by the door."""
    return "equal"


def _other(rng: random.Random, home: Path, method: str) -> Path:
    return rng.choice(
        [f for f in sorted((home / "released").iterdir()) if not f.stem.endswith(f"-{method}") and "sup" not in f.stem]
    )


def _zip(rng: random.Random, source: Path, file: Path) -> str:
    way = rng.choice(
        ["compressed bomb", "member missing", "a member more", "name outside", "storage cut", "no pickle"]
    )
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(file, "w") as new:
        names = old.namelist()
        storages = [name for name in names if "/data/" in name]
        chosen = rng.choice(storages)
        for name in names:
            content = old.read(name)
            if way == "member missing" and name == chosen or way == "no pickle" and name.endswith("data.pkl"):
                continue
            if way == "storage cut" and name == chosen:
                content = content[: len(content) // 2]
            if way == "name outside" and name == chosen:
                name = "../../" + name
            kind = zipfile.ZIP_STORED
            if way == "compressed bomb" and name == chosen:
                content, kind = bytes(300_000_000), zipfile.ZIP_DEFLATED
            new.writestr(name, content, kind)
            if way == "a member more" and name == chosen:
                new.writestr(name + "x", content, kind)
    return way


def _odd_pickle(rng: random.Random, checkpoint: dict, file: Path) -> str:
    way = rng.choice(["holds itself", "very deep", "a list", "a tensor", "keys that are no texts", "empty", "many"])
    if way == "holds itself":
        checkpoint["x"] = checkpoint
    elif way == "very deep":
        value: Any = 1
        for _ in range(400):
            value = {"x": value}
        checkpoint["x"] = value
    elif way == "keys that are no texts":
        for container, key in _tensors(checkpoint, [])[:1]:
            container[5] = container.pop(key)
    elif way == "many":
        checkpoint["x"] = [[i] for i in range(200_000)]
    torch.save({"a list": [1, 2], "a tensor": torch.ones(3), "empty": {}}.get(way, checkpoint), file)
    return way


def _odd_tensor(rng: random.Random, tensor: torch.Tensor) -> tuple[str, Any]:
    flat = tensor.float().flatten().clone()
    flat[rng.randrange(len(flat))] = rng.choice([float("nan"), float("inf"), -float("inf")])
    forms: dict[str, Callable[[], Any]] = {
        "not finite": lambda: flat.view(tensor.shape),
        "all not finite": lambda: torch.full_like(tensor.float(), float("nan")),
        "whole numbers": lambda: tensor.to(torch.int32),
        "complex": lambda: tensor.to(torch.complex64),
        "yes or no": lambda: tensor.to(torch.bool),
        "another shape": lambda: tensor.flatten()[:-1],
        "one axis more": lambda: tensor[None].repeat(2, *[1] * tensor.dim()),
        "no axis": lambda: torch.tensor(1.0),
        "empty": lambda: tensor.flatten()[:0],
        "sparse": lambda: tensor.to_sparse() if tensor.dim() else tensor[:0],
        "on meta": lambda: tensor.to("meta"),
        "a view of one number": lambda: torch.zeros(1).expand(10**9),
        "huge view": lambda: torch.zeros(1, 1).expand(10**5, 10**6),
        "quantised": lambda: torch.quantize_per_tensor(tensor.float(), 0.1, 0, torch.qint8),
        "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    }
    way = rng.choice(sorted(forms))
    return way, forms[way]()
