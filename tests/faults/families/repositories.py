"""Weights, configurations and image processors of exported repositories and of checkpoints."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from hf_ssl.registry import METHODS

from .. import doors
from ..cases import Case, equal_to, never
from ..damage import BYTES, broken_text, misspelt, same, wrong_value
from ..material import REPOSITORIES, read_json, read_safetensors, safetensors, tensor_bytes

WEIGHTS, INDEX, CONFIG, PROCESSOR = (
    "model.safetensors",
    "model.safetensors.index.json",
    "config.json",
    "preprocessor_config.json",
)
_TIMES = {"evaluate": 2, "card": 2, "push": 2, "pretrain --backbone": 0.4, "export": 3}


def open_doors(method: str, part: str, photos: str) -> dict[str, Callable[[], dict]]:
    """
    What opens a repository in the folder `repository`, by name.

    Args:
        part (`str`): of the files that were damaged: "root", "pretraining", or "checkpoint", which has no root.
    """
    where = "repository"
    kind = METHODS[method]
    if part == "root":
        return {
            "load_encoder": lambda: doors.encoder(where),
            "evaluate": lambda: doors.evaluated(where, photos),
            "card": lambda: doors.carded(where),
            "push": lambda: doors.pushed(where),
            "pretrain --backbone": lambda: doors.pretrained("--data", photos, "--backbone", where),
        }
    if part == "checkpoint":
        return {
            "AutoModelForPreTraining": lambda: doors.method(where, ""),
            "from_pretrained of the config": lambda: doors.configuration(where, kind.config_class, ""),
            "export": lambda: doors.exported(where),
        }
    return {
        "AutoModelForPreTraining": lambda: doors.method(where),
        "load_encoder of pretraining": lambda: doors.encoder(where, "pretraining"),
        "from_pretrained of the config": lambda: doors.configuration(where, kind.config_class),
        "export": lambda: doors.exported(where),
        "card": lambda: doors.carded(where),
        "push": lambda: doors.pushed(where),
    }


def processor_doors(method: str, part: str, photos: str) -> dict[str, Callable[[], dict]]:
    """As `open_doors`, of what reads an image processor."""
    where = "repository"
    kind = METHODS[method].processor_class
    if part == "root":
        return {
            "load_image_processor": lambda: doors.native_processor(where),
            "evaluate": lambda: doors.evaluated(where, photos),
            "card": lambda: doors.carded(where),
            "push": lambda: doors.pushed(where),
        }
    subfolder = "" if part == "checkpoint" else part
    found = {
        "from_pretrained of the processor": lambda: doors.method_processor(where, kind, subfolder),
        "AutoImageProcessor": lambda: doors.method_processor(where, None, subfolder),
        "export": lambda: doors.exported(where) | doors.method_processor("exported", None),
    }
    return found if part == "checkpoint" else found | {"push": lambda: doors.pushed(where)}


def source(home: Path, method: str, part: str, sharded: bool = False) -> Path:
    if part == "checkpoint":
        return home / "checkpoints" / method
    return home / "sharded" if sharded else home / "repositories" / method


def controls(home: Path) -> dict[str, Callable[[], dict]]:
    """Every door on undamaged material."""
    found = {}
    for method in REPOSITORIES:
        for part in ("root", "pretraining", "checkpoint"):
            for group, table in (("weights", open_doors), ("processor", processor_doors)):
                for door, opened in table(method, part, str(home / "photos")).items():
                    found[f"{group} {method} {part} {door}"] = _on_a_copy(source(home, method, part), opened)
    return found


def _on_a_copy(place: Path, opened: Callable[[], dict]) -> Callable[[], dict]:
    def run() -> dict:
        shutil.copytree(place, "repository")
        return opened()

    return run


def _pick(rng: random.Random, table: dict[str, Callable]) -> tuple[str, Callable]:
    names = sorted(table)
    name = rng.choices(names, [_TIMES.get(n, 4) for n in names])[0]
    return name, table[name]


def _case(
    rng: random.Random, home: Path, known: dict, damage: Callable[[random.Random, Path], tuple], group: str, **where
) -> Case:
    """Damage the part of a copy that a door will open."""
    method = where.get("method") or rng.choice(sorted(REPOSITORIES))
    part = where.get("part") or rng.choice(["root", "root", "pretraining", "pretraining", "checkpoint"])
    table = (open_doors if group == "weights" else processor_doors)(method, part, str(home / "photos"))
    skip = where.get("skip", ())
    door, opened = _pick(rng, {name: value for name, value in table.items() if name not in skip})
    shutil.copytree(source(home, method, part, where.get("sharded", False)), "repository")
    mutator, detail, meant = damage(rng, Path("repository", "pretraining" if part == "pretraining" else ""))
    reads_all = door != "load_encoder of pretraining" or detail.startswith("backbone.")
    judge = never if meant == "refused" and reads_all else equal_to(known[f"{group} {method} {part} {door}"])
    if door == "push" and meant != "refused":
        first = {"root": "load_encoder", "pretraining": "AutoModelForPreTraining"}
        if group == "processor":
            first = {"root": "load_image_processor", "pretraining": "from_pretrained of the processor"}
        judge = _what_was_pushed(table[first[part]], known[f"{group} {method} {part} {first[part]}"])
    return Case(mutator, door, opened, judge, detail=f"{method}, {part}: {detail}")


def _what_was_pushed(opened: Callable[[], dict], expected: dict) -> Callable[[dict], str]:
    def judge(found: dict) -> str:
        try:
            return equal_to(expected)(opened())
        except (doors.Refused, doors.Fault, doors.Foreign, doors.Unsound) as error:
            return f"accepted to be pushed, but: {error}"

    return judge


# Weights


def _header_bytes(rng: random.Random, folder: Path) -> tuple:
    """Anywhere in the header: what changes the weights themselves and leaves them finite can be seen by nobody."""
    file = folder / WEIGHTS
    data = file.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    name = rng.choice([n for n in sorted(BYTES) if n != "cut"])
    file.write_bytes(BYTES[name](data[:end], rng) + data[end:])
    return f"header: {name}", "", "equal"


def _length(rng: random.Random, folder: Path) -> tuple:
    file = folder / WEIGHTS
    data = file.read_bytes()
    way = rng.choice(["cut", "bytes inserted", "bytes removed", "bytes appended"])
    file.write_bytes(data[: rng.randrange(len(data))] if way == "cut" else BYTES[way](data, rng))
    return f"file: {way}", "", "refused" if file.stat().st_size != len(data) else "equal"


def _header_length(rng: random.Random, folder: Path) -> tuple:
    file = folder / WEIGHTS
    header, body = read_safetensors(file)
    size = len(file.read_bytes())
    true = int.from_bytes(file.read_bytes()[:8], "little")
    length = rng.choice([0, 1, true - 1, true + 8, size, size - 8, 2**31, 2**63, 2**64 - 1, 10**8 + 1])
    file.write_bytes(safetensors(header, body, length))
    return "header: claimed length", f"{length}", "refused"


def _a_tensor(rng: random.Random, header: dict) -> str:
    names = [name for name in header if name != "__metadata__" and len(header[name]["shape"]) > 0]
    return rng.choice(sorted(names))


def _entry(rng: random.Random, folder: Path) -> tuple:
    """One field of one tensor in the header."""
    file = folder / WEIGHTS
    header, body = read_safetensors(file)
    name = _a_tensor(rng, header)
    entry, (start, end) = header[name], header[name]["data_offsets"]
    key = rng.choice(["dtype", "shape", "data_offsets", "a key less", "a key more", "no object"])
    if key == "dtype":
        entry[key] = rng.choice(["I32", "U32", "F64", "F16", "BF16", "U8", "BOOL", "F8_E4M3", "f32", "X", "", 5, None])
    elif key == "shape":
        shape = entry[key]
        forms = [[*shape, 2], shape[1:], [0], [-1], [2**63, 2], [2**32, 2**32], [1.5], "x", None, [*shape[:-1], "4"]]
        entry[key] = rng.choice(forms)
    elif key == "data_offsets":
        forms = [[end, start], [start, end + 4], [start + 4, end], [0, 0], [-1, end], [start, 2**64], [start], None]
        entry[key] = rng.choice([*forms, [float(start), float(end)], ["0", "4"]])
    elif key == "a key less":
        del entry[rng.choice(sorted(entry))]
    elif key == "a key more":
        entry["x"] = rng.choice([1, None, [], "\0"])
    else:
        header[name] = rng.choice([None, 5, [], "x"])
    file.write_bytes(safetensors(header, body))
    return f"header: {key}", f"{name} {json.dumps(header[name])[:200]}", "equal" if key == "a key more" else "refused"


def _metadata(rng: random.Random, folder: Path) -> tuple:
    file = folder / WEIGHTS
    header, body = read_safetensors(file)
    forms: list[Any] = [5, [], None, {"format": 5}, {"format": "tf"}, {"format": "flax"}, {"format": "x\0"}, {}]
    forms += [{"format": "pt", "x": "y" * 200_000}, {"format": "pt", "": ""}, {"format": ["pt"]}, {"Format": "pt"}]
    value = rng.choice(forms)
    header["__metadata__"] = value
    file.write_bytes(safetensors(header, body))
    return "header: metadata", json.dumps(value)[:100], "equal"


def _header_text(rng: random.Random, folder: Path) -> tuple:
    file = folder / WEIGHTS
    header, body = read_safetensors(file)
    name, text = broken_text(json.dumps(header), rng)
    file.write_bytes(safetensors(text, body))
    return f"header: {name}", "", "equal"


def _two_files(rng: random.Random, folder: Path) -> tuple:
    """The header of one file, the data of another."""
    others = [
        p for p in Path("repository").parent.absolute().glob("repository/**/*.safetensors") if p.parent != folder
    ]
    file = folder / WEIGHTS
    header, _ = read_safetensors(file)
    other = rng.choice(sorted(others)) if others else None
    body = read_safetensors(other)[1] if other else b"x" * 1000
    if len(body) == len(read_safetensors(file)[1]):
        body = body[4:]
    file.write_bytes(safetensors(header, body))
    return "header of one file, data of another", "", "refused"


def _tensors(rng: random.Random, folder: Path) -> tuple:
    """Well-formed files that hold something else."""
    file = folder / WEIGHTS
    header, body = read_safetensors(file)
    metadata = header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        kind = {"F32": torch.float32, "I64": torch.int64, "BOOL": torch.bool}[entry["dtype"]]
        data = torch.frombuffer(bytearray(body[start:end]), dtype=kind) if end > start else torch.empty(0, dtype=kind)
        tensors[name] = data.reshape(entry["shape"])
    floats = [name for name in sorted(tensors) if tensors[name].is_floating_point() and tensors[name].numel() > 1]
    name = rng.choice([n for n in floats if n.startswith(("backbone.", "embed", "enc", "layer", "pooler"))] or floats)
    tensor = tensors[name]
    meant = "refused"
    way = rng.choice(
        ["NaN", "infinite", "another dtype", "all of another dtype", "another shape", "missing", "renamed", "several"]
        + ["extra", "empty", "all missing", "transposed"]
    )
    detail = name
    if way in ("NaN", "infinite"):
        value = float("nan") if way == "NaN" else rng.choice([float("inf"), -float("inf")])
        flat = tensor.flatten().clone()
        flat[rng.randrange(len(flat))] = value
        tensors[name] = flat.view(tensor.shape) if rng.random() < 0.7 else torch.full_like(tensor, value)
    elif way in ("another dtype", "all of another dtype"):
        kinds = [torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.uint8, torch.bool, torch.complex64]
        kind = rng.choice([*kinds, torch.float8_e4m3fn])
        detail += f" {kind}"
        for changed in [name] if way == "another dtype" else floats:
            tensors[changed] = tensors[changed].to(kind)
    elif way == "another shape":
        tensors[name] = rng.choice([tensor[:-1], tensor[None], tensor.flatten()[:1], torch.cat([tensor, tensor])])
    elif way == "transposed":
        wide = [n for n in floats if tensors[n].dim() == 2 and len({*tensors[n].shape}) == 2]
        if wide:
            name = detail = rng.choice(wide)
            tensors[name] = tensors[name].T.contiguous()
        else:
            del tensors[name]
    elif way == "missing":
        del tensors[name]
    elif way == "renamed":
        tensors[misspelt(name, rng)] = tensors.pop(name)
    elif way == "several":
        for gone in {name, *rng.sample(floats, min(4, len(floats) - 1))}:
            del tensors[gone]
    elif way == "extra":
        new = rng.choice(["x", "classifier.weight", "backbone.x", f"{name}.x", "", "\u202e", "../x", "__init__"])
        tensors[new], meant = torch.ones(3), "equal"
        detail = repr(new)
    elif way == "empty":
        tensors[name] = tensor.flatten()[:0]
    else:
        tensors = {}
    header, data = {} if metadata is None else {"__metadata__": metadata}, b""
    for key, value in tensors.items():
        raw = tensor_bytes(value)
        kinds = {torch.float32: "F32", torch.int64: "I64", torch.float16: "F16", torch.bfloat16: "BF16"}
        kinds |= {torch.float64: "F64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"}
        kinds |= {torch.complex64: "C64", torch.float8_e4m3fn: "F8_E4M3"}
        offsets = [len(data), len(data) + len(raw)]
        header[key] = {"dtype": kinds[value.dtype], "shape": list(value.shape), "data_offsets": offsets}
        data += raw
    file.write_bytes(safetensors(header, data))
    return f"tensors: {way}", detail, meant


WEIGHT_MUTATORS = [_header_bytes, _length, _header_length, _entry, _metadata, _header_text, _two_files]


def weights(rng: random.Random, home: Path, known: dict) -> Case:
    damage = rng.choices([*WEIGHT_MUTATORS, _tensors], [4, 2, 1, 4, 1, 1, 1, 8])[0]
    return _case(rng, home, known, damage, "weights", skip=("from_pretrained of the config",))


# The index of shards


def _index(rng: random.Random, folder: Path) -> tuple:
    file = folder / INDEX
    found = read_json(file)
    shards = sorted({*found["weight_map"].values()})
    name = rng.choice(sorted(found["weight_map"]))
    way = rng.choice(
        ["shard elsewhere", "no shard", "names removed", "names added", "another shard", "text", "type", "metadata"]
        + ["shard removed", "shard swapped", "shard cut"]
    )
    meant, detail = "refused", name
    if way == "shard elsewhere":
        Path("evil.safetensors").write_bytes((folder / found["weight_map"][name]).read_bytes())
        forms = ["../evil.safetensors", str(Path("evil.safetensors").absolute()), "./" + shards[0], "x/" + shards[0]]
        forms += ["", ".", "..", "evil", "\0.safetensors", "http://127.0.0.1/x.safetensors", 5, None, [shards[0]]]
        found["weight_map"][name] = detail = rng.choice(forms)
    elif way == "no shard":
        found["weight_map"][name] = "model-00009-of-00009.safetensors"
    elif way == "names removed":
        del found["weight_map"][name]
        meant = "equal"
    elif way == "names added":
        found["weight_map"][misspelt(name, rng)] = shards[0]
        meant = "equal"
    elif way == "another shard":
        found["weight_map"][name] = rng.choice([s for s in shards if s != found["weight_map"][name]])
        meant = "equal"
    elif way == "type":
        found["weight_map"] = rng.choice([[], 5, None, "x", {}, [[name, shards[0]]]])
    elif way == "metadata":
        found["metadata"] = rng.choice([None, [], 5, {"total_size": -1}, {"total_size": "x"}, {"total_size": 1e308}])
        meant = "equal"
    elif way == "shard removed":
        (folder / rng.choice(shards)).unlink()
    elif way == "shard swapped":
        first, second = rng.sample(shards, 2)
        data = (folder / first).read_bytes()
        (folder / first).write_bytes((folder / second).read_bytes())
        (folder / second).write_bytes(data)
        meant = "equal"
    elif way == "shard cut":
        shard = folder / rng.choice(shards)
        shard.write_bytes(shard.read_bytes()[: rng.randrange(shard.stat().st_size)])
    if way == "text":
        way, data = broken_text(json.dumps(found), rng)
        way = f"text: {way}"
        file.write_bytes(data)
        meant = "equal"
    else:
        file.write_text(json.dumps(found))
    return f"index: {way}", str(detail), meant


def index(rng: random.Random, home: Path, known: dict) -> Case:
    skip = ("from_pretrained of the config",)
    part = rng.choice(["root", "pretraining"])
    return _case(rng, home, known, _index, "weights", skip=skip, method="simclr", part=part, sharded=True)


# Configurations and image processors


def _json(file_name: str) -> Callable[[random.Random, Path], tuple]:
    def damage(rng: random.Random, folder: Path) -> tuple:
        file = folder / file_name
        text = file.read_text()
        found = json.loads(text)
        is_ours = found.get("image_processor_type", found.get("model_type", "ssl_")) != "ViTImageProcessor"
        is_ours = is_ours and str(found.get("model_type", "ssl_")).startswith("ssl_")
        if rng.random() < 0.15:
            way, data = broken_text(text, rng)
            file.write_bytes(data)
            return f"text: {way}", "", "equal"
        if rng.random() < 0.1:
            name = rng.choice([n for n in sorted(BYTES) if n != "bytes appended"])
            file.write_bytes(_only_outside_of_values(text, name, rng))
            return f"bytes: {name}", "", "equal"
        ways = ["value", "nested value", "missing", "misspelt", "duplicate", "auto_map", "another type", "extra"]
        way = rng.choices(ways, [8, 4, 1, 2, 1, 1, 2, 1])[0]
        inner, place = found, ""
        records = [name for name in sorted(found) if isinstance(found[name], dict) and found[name]]
        if way == "nested value" and records:
            place = rng.choice(records)
            inner = found[place]
        ignored = {"transformers_version", "architectures", "image_processor_type", "model_type"}
        keys = [key for key in sorted(inner) if key not in ignored]
        key = rng.choice(keys)
        detail, meant = key, "equal"
        if way in ("value", "nested value"):
            old = inner[key]
            for _ in range(20):
                new = wrong_value(old, rng)
                if not same(new, old) and not (old is None and isinstance(new, int)):
                    break
            inner[key] = new
            way = f"{way}: {_kind(old)}"
            detail = f"{place + '.' if place else ''}{key}: {str(old)[:60]} -> {repr(new)[:80]}"
            if key == "dtype":
                meant = "refused"
        elif way == "missing":
            key = detail = rng.choice([k for k in keys if _is_default(found, k)] or keys)
            del found[key]
        elif way == "misspelt":
            new = misspelt(key, rng)
            found[new] = found.pop(key)
            detail = new
            meant = "refused" if is_ours else "equal"
        elif way == "extra":
            new = rng.choice(["x", "temprature", "__class__", "", "\u202e", "backbone", "self"])
            found[new], detail = rng.choice([1, None, {"a": 1}, "y"]), repr(new)
            meant = "refused" if is_ours and not new.startswith("_") else "equal"
        elif way == "duplicate":
            old = json.dumps(found[key])
            junk = json.dumps(wrong_value(found[key], rng))
            first, second = rng.choice([(junk, old), (old, junk)])
            rest = json.dumps({k: v for k, v in found.items() if k != key})[1:]
            file.write_text(f'{{"{key}": {first}, "{key}": {second}, {rest}')
            return way, detail, "equal"
        elif way == "auto_map":
            Path(folder, "evil.py").write_text(_EVIL)
            Path("repository", "evil.py").write_text(_EVIL)
            kinds = ["AutoConfig", "AutoModel", "AutoImageProcessor", "AutoModelForPreTraining", "AutoProcessor"]
            value = {kind: "evil.Evil" for kind in kinds}
            found["auto_map"] = rng.choice([value, value, "evil.Evil", None, [], {"AutoModel": ["evil.Evil", None]}])
            if rng.random() < 0.5:
                name = "model_type" if "model_type" in found else "image_processor_type"
                found[name] = "evil"
                meant = "refused"
        elif way == "another type":
            name = "model_type" if "model_type" in found else "image_processor_type"
            types = ["bert", "gpt2", "clip", "ssl_swav", "ssl_dino", "timm_wrapper", "vit_mae", "x", "", 5, None, []]
            others = ["CLIPImageProcessor", "ViTFeatureExtractor", "SSLImageProcessor", "object", "", 5, None, "os"]
            kinds = types if name == "model_type" else others
            found[name] = detail = rng.choice([k for k in kinds if k != found[name]])
            meant = "equal"
        file.write_text(json.dumps(found))
        return way, str(detail), meant

    return damage


def _is_default(found: dict, key: str) -> bool:
    """Whether a file without this key means the same, or does not fit its weights."""
    if "image_processor_type" in found:
        kinds = {method.processor_class.__name__: method.processor_class for method in METHODS.values()}
        kind = kinds.get(found["image_processor_type"], ViTImageProcessorPil)
        return same(kind().to_dict().get(key), found[key])
    return "heads" not in key


_EVIL = "import os\nopen(os.environ['FAULTS_MARKS'] + '/code ran', 'w')\nclass Evil:\n    pass\n"


def _kind(old: Any) -> str:
    return {bool: "yes or no", int: "whole", float: "real", str: "text", list: "list", dict: "record"}.get(
        type(old), "null"
    )


def _only_outside_of_values(text: str, name: str, rng: random.Random) -> bytes:
    """Bytes of the punctuation and the keys: one figure for another within a number can be meant."""
    data = text.encode()
    for _ in range(50):
        changed = BYTES[name](data, rng)
        try:
            if same(json.loads(changed), json.loads(data)) or not _figures_differ_only(
                json.loads(changed), json.loads(data)
            ):
                return changed
        except (ValueError, RecursionError):
            return changed
    return data[:-1]


def _figures_differ_only(a: Any, b: Any) -> bool:
    return isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys()


def configs(rng: random.Random, home: Path, known: dict) -> Case:
    return _case(rng, home, known, _json(CONFIG), "weights")


def processors(rng: random.Random, home: Path, known: dict) -> Case:
    return _case(rng, home, known, _json(PROCESSOR), "processor")


# Files that are none


def _no_file(rng: random.Random, folder: Path, name: str) -> tuple:
    file = folder / name
    way = rng.choice(["missing", "folder", "pipe", "link outside", "dead link", "link to itself", "device", "empty"])
    way = rng.choice([way, way, "not readable", "link to zeros", *(["huge"] if name == CONFIG else [])])
    outside = Path("outside") / name
    outside.parent.mkdir()
    shutil.copy(file, outside)
    file.unlink()
    meant = "refused"
    if way == "folder":
        file.mkdir()
    elif way == "pipe":
        os.mkfifo(file)
    elif way == "link outside":
        file.symlink_to(outside.absolute())
        meant = "equal"  # the cache of the Hub is made of links
    elif way == "dead link":
        file.symlink_to("nowhere")
    elif way == "link to itself":
        file.symlink_to(name)
    elif way in ("device", "link to zeros"):
        file.symlink_to("/dev/null" if way == "device" else "/dev/zero")
    elif way == "empty":
        file.touch()
    elif way == "not readable":
        shutil.copy(outside, file)
        file.chmod(0)
        meant = "equal" if os.access(file, os.R_OK) else "refused"
    elif way == "huge":
        with open(file, "wb") as opened:
            opened.truncate(2**40)
    return f"{way}", name, meant


def names(rng: random.Random, home: Path, known: dict) -> Case:
    file = rng.choice([WEIGHTS, CONFIG])
    skip = ("pretrain --backbone", *(["from_pretrained of the config"] if file == WEIGHTS else []))
    return _case(rng, home, known, lambda r, f: _no_file(r, f, file), "weights", skip=skip)
