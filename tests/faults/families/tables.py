"""Parquet and Arrow data sets with hostile cells, and their files damaged."""

import io
import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pyarrow.parquet

from .. import doors
from ..cases import Case
from ..damage import BYTES, broken_text, same, wrong_value
from ..foreign import FOREIGN
from ..material import picture, read_json
from .pictures import judge_data

ROWS, BAD = 10, 5
LAYOUTS = ("parquet", "parquet of datasets", "saved")
_IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


def encoded(seed: int, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    picture(seed).save(buffer, kind)
    return buffer.getvalue()


def cells() -> list[dict]:
    return [{"bytes": encoded(i), "path": f"{i}.png"} for i in range(ROWS)]


def table(images: list, labels: Any = None) -> pyarrow.Table:
    labels = pyarrow.array([i % 2 for i in range(ROWS)]) if labels is None else labels
    return pyarrow.table({"image": pyarrow.array(images, _IMAGE), "label": labels})


def write(layout: str, made: pyarrow.Table, folder: Path) -> Path:
    """The file that holds the rows."""
    folder.mkdir()
    if layout == "saved":  # the library would look at the files that cells name while it saves
        datasets.Dataset(made).save_to_disk(str(folder))
        info = read_json(folder / "dataset_info.json")
        info["features"]["image"] = {"_type": "Image"}
        (folder / "dataset_info.json").write_text(json.dumps(info))
        return next(folder.glob("*.arrow"))
    if layout == "parquet of datasets":
        features = datasets.Features.from_arrow_schema(made.schema)
        features["image"] = datasets.Image()
        made = made.replace_schema_metadata(features.arrow_schema.metadata)
    pyarrow.parquet.write_table(made, folder / "train.parquet")
    return folder / "train.parquet"


def own_cache() -> None:
    """What the datasets library keeps goes into the present folder."""
    cache = Path("cache").absolute()
    datasets.config.HF_DATASETS_CACHE = cache
    datasets.config.DOWNLOADED_DATASETS_PATH = cache / "downloads"
    datasets.config.EXTRACTED_DATASETS_PATH = cache / "downloads" / "extracted"
    datasets.disable_progress_bars()


def controls() -> dict[str, Callable[[], dict]]:
    def opened(layout: str, streaming: bool) -> Callable[[], dict]:
        def run() -> dict:
            own_cache()
            write(layout, table(cells()), Path("data"))
            return doors.data("data", **({"streaming": True} if streaming else {}))

        return run

    found = {f"table {layout}": opened(layout, False) for layout in LAYOUTS}
    return found | {f"stream {layout}": opened(layout, True) for layout in LAYOUTS if layout != "saved"}


def judge_stream(expected: dict, bad: str, meant: str) -> Callable[[dict], str]:
    """By the pixels alone: where rows are left out, the others have other numbers."""
    wanted = [value[1] for value in expected["used"].values()]

    def judge(found: dict) -> str:
        now = [value[1] for value in found["used"].values()]
        lost = [pixels for pixels in wanted if pixels not in now and pixels != bad]
        more = [pixels for pixels in now if pixels not in wanted]
        if lost and meant == "file":
            told = re.search(r"(\d+) of \d+ (?:streamed )?images", found["said"])
            if told and int(told[1]) == len(wanted) - sum(pixels in now for pixels in wanted):
                return "another picture" if more else "named"
        if lost:
            return f"accepted without {len(lost)} good images; said: {found['said'][-200:]}"
        if more and not (meant in ("picture", "file") and len(more) == 1):
            return f"accepted with {len(more)} others"
        if bad in now:
            return "accepted all the same" if meant == "refused" else "equal"
        if more:
            return "another picture"
        said = found["said"]
        told = any(word in said for word in ("not be read", "cannot be read", "left out", "without"))
        return "named" if told else f"left out without a word; said: {said[-300:]}"

    return judge


def case(rng: random.Random, home: Path, known: dict) -> Case:
    own_cache()
    damage = rng.choices([_path, _bytes_in_cell, _column, _label, _file, _description], [10, 4, 3, 2, 4, 2])[0]
    if damage is _description:
        layout = "saved"
    else:
        layout = rng.choice(LAYOUTS)
    mutator, detail, meant = damage(rng, home, layout)
    streaming = layout != "saved" and rng.random() < 0.25
    expected = known[f"{'stream' if streaming else 'table'} {layout}"]
    bad = known["table parquet"]["used"][f"row {BAD} ({BAD}.png)"][1]
    if streaming or damage in (_file, _description, _label, _column):
        judge = judge_stream(expected, bad, meant)
    else:
        judge = judge_data(expected, _is_bad, f"row {BAD}", meant)
    options = {"streaming": True} if streaming else {}
    door = "load_data, streaming" if streaming else "load_data"

    def opened() -> dict:
        return doors.data("data", **options)

    if not streaming and rng.random() < 0.1:
        repository = str(home / "repositories" / "simclr")
        judged = judge

        def opened() -> dict:
            return doors.evaluated(repository, "data")

        def judge(found: dict) -> str:
            return judged(doors.data("data"))

        door = "evaluate"
    return Case(f"{layout}: {mutator}", door, opened, judge, detail=detail)


def _is_bad(name: str) -> bool:
    return name.split(" (")[0] == f"row {BAD}"


def hostile_paths(home: Path, inside: Path) -> dict[str, Any]:
    """Names of cells that lead out of the data set, by kind. The picture that they find is nowhere else."""
    secret = home / "secret" / "secret.png"
    server = os.environ["FAULTS_SERVER"]
    mark = Path.cwd().name
    up = os.path.relpath(secret, inside.absolute())
    return {
        "..": up,
        ".. within": f"x/../{up}",
        "absolute": str(secret),
        "file address": f"file://{secret}",
        "local address": f"local://{secret}",
        "http": f"{server}/picture-{mark}.png",
        "http in capitals": f"HTTP{server[4:]}/picture-{mark}.png",
        "http and a space": f" {server}/picture-{mark}.png",
        "chain to http": f"zip://a.png::{server}/picture-{mark}.zip",
        "chain to a file": f"zip://secret.png::{secret.with_suffix('.zip')}",
        "simplecache": f"simplecache::{server}/picture-{mark}.png",
        "filecache": f"filecache::file://{secret}",
        "blockcache": f"blockcache::{server}/picture-{mark}.png",
        "tar": f"tar://x.png::{server}/picture-{mark}.tar",
        "gzip": f"gzip://x::{secret}",
        "ftp": f"ftp://127.0.0.1:{server.rsplit(':')[-1]}/x.png",
        "hf": "hf://datasets/me/one/x.png",
        "s3": "s3://bucket/x.png",
        "memory": "memory://x.png",
        "data address": "data:image/png;base64,iVBORw0KGgo=",
        "github": "github://me:one@main/x.png",
        "reference": f"reference://x::{server}/picture-{mark}",
        "home": "~/secret.png",
        "variable": "$HOME/secret.png",
        "backslashes": "..\\secret.png",
        "drive": "C:\\secret.png",
        "share": "\\\\127.0.0.1\\x.png",
        "two slashes": f"//{str(secret).lstrip('/')}",
        "device": "/dev/zero",
        "standard input": "/dev/stdin",
        "process": "/proc/self/environ",
        "empty": "",
        "dot": ".",
        "zero byte": "a\0.png",
        "line break": "a\n.png",
        "direction": "a\u202egnp.exe",
        "long": "x" * 5000,
        "missing": "nowhere.png",
        "link out": ".hidden/link.png",
        "link to a folder out": ".hidden/folder/secret.png",
        "pipe": ".hidden/pipe.png",
        "folder": ".hidden",
    }


def make_hostile(folder: Path, home: Path) -> None:
    """Links out, a pipe and a folder, in the data set, where its images are not looked for."""
    hidden = folder / ".hidden"
    hidden.mkdir()
    (hidden / "link.png").symlink_to(home / "secret" / "secret.png")
    (hidden / "folder").symlink_to(home / "secret")
    os.mkfifo(hidden / "pipe.png")


def _path(rng: random.Random, home: Path, layout: str) -> tuple:
    paths = hostile_paths(home, Path("data"))
    kind = rng.choice([*sorted(paths), "null"])
    rows = cells()
    rows[BAD] = {"bytes": None, "path": paths.get(kind)}
    with_bytes = kind != "null" and rng.random() < 0.15
    if with_bytes:  # then the path is a mere name
        rows[BAD]["bytes"] = encoded(BAD)
    file = write(layout, table(rows), Path("data"))
    if layout != "saved":
        make_hostile(file.parent, home)
    return (
        f"path: {kind}{', with bytes' if with_bytes else ''}",
        str(paths.get(kind))[:80],
        ("equal" if with_bytes else "refused"),
    )


def _bytes_in_cell(rng: random.Random, home: Path, layout: str) -> tuple:
    rows = cells()
    kind = rng.choice(["empty", "bomb", "cut", "foreign", "foreign", "text", "path as bytes"])
    meant, detail = "refused", ""
    if kind == "empty":
        content = b""
    elif kind == "bomb":
        detail = rng.choice(["grey.png", "tall.gif", "frame.jpg", "runs.bmp"])
        content = (home / "bombs" / detail).read_bytes()
    elif kind == "cut":
        content = encoded(BAD)[:300]
    elif kind == "foreign":
        detail = rng.choice(sorted(FOREIGN))
        content = FOREIGN[detail]()
    else:
        content = b"/etc/passwd" if kind == "path as bytes" else b"no picture"
    rows[BAD] = {"bytes": content, "path": rng.choice([f"{BAD}.png", None, "../x.png", "\u202e\0"])}
    write(layout, table(rows), Path("data"))
    return f"bytes: {kind}", detail, meant


def _column(rng: random.Random, home: Path, layout: str) -> tuple:
    """All cells of another type."""
    whole = [cell["bytes"] for cell in cells()]
    kinds: dict[str, tuple[Any, str]] = {
        "bytes alone": (pyarrow.array(whole, pyarrow.binary()), "equal"),
        "large bytes": (pyarrow.array(whole, pyarrow.large_binary()), "equal"),
        "numbers": (pyarrow.array(range(ROWS)), "refused"),
        "texts": (pyarrow.array([f"{i}.png" for i in range(ROWS)]), "refused"),
        "addresses": (pyarrow.array([f"{os.environ['FAULTS_SERVER']}/picture.png"] * ROWS), "refused"),
        "paths": (pyarrow.array([str(home / "secret" / "secret.png")] * ROWS), "refused"),
        "nulls": (pyarrow.nulls(ROWS), "refused"),
        "null records": (pyarrow.array([None] * ROWS, _IMAGE), "refused"),
        "lists": (pyarrow.array([[[1, 2], [3]]] * ROWS), "refused"),
        "deep lists": (pyarrow.array([[[[[[1]]]]]] * ROWS), "refused"),
        "dates": (pyarrow.array([0] * ROWS, pyarrow.timestamp("s")), "refused"),
        "records of numbers": (pyarrow.array([{"bytes": 5, "path": 6}] * ROWS), "refused"),
        "records of lists": (pyarrow.array([{"bytes": [1, 2], "path": "x"}] * ROWS), "refused"),
        "records without bytes": (pyarrow.array([{"path": str(home / "secret" / "secret.png")}] * ROWS), "refused"),
        "no rows": (pyarrow.array([], _IMAGE), "refused"),
    }
    kind = rng.choice(sorted(kinds))
    column, meant = kinds[kind]
    labels = pyarrow.array([i % 2 for i in range(len(column))], pyarrow.int64())
    made = pyarrow.table({"image": column, "label": labels})
    Path("data").mkdir()
    if layout == "parquet of datasets" and rng.random() < 0.5:  # its own description says that these are images
        features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
        made = made.replace_schema_metadata(features.arrow_schema.metadata)
    if layout == "saved":
        datasets.Dataset(made).save_to_disk("data")
    else:
        pyarrow.parquet.write_table(made, "data/train.parquet")
    return f"column: {kind}", "", meant


def _label(rng: random.Random, home: Path, layout: str) -> tuple:
    kinds: dict[str, Any] = {
        "NaN": [float("nan") if i == BAD else float(i % 2) for i in range(ROWS)],
        "infinite": [float("inf") if i == BAD else float(i % 2) for i in range(ROWS)],
        "negative": [-7 if i == BAD else i % 2 for i in range(ROWS)],
        "large": [2**62 if i == BAD else i % 2 for i in range(ROWS)],
        "null": [None if i == BAD else i % 2 for i in range(ROWS)],
        "texts": ["\u202e\0" if i == BAD else "ab"[i % 2] for i in range(ROWS)],
        "long text": ["x" * 10**6 if i == BAD else "ab"[i % 2] for i in range(ROWS)],
        "bytes": [b"\xff" if i == BAD else b"a" for i in range(ROWS)],
        "lists": [[1] if i == BAD else [0] for i in range(ROWS)],
        "all null": [None] * ROWS,
    }
    kind = rng.choice(sorted(kinds))
    write(layout, table(cells(), pyarrow.array(kinds[kind])), Path("data"))
    return f"label: {kind}", "", "equal"


def _file(rng: random.Random, home: Path, layout: str) -> tuple:
    """The file itself: what is not in its head or foot are the pixels, which PNG guards in part only."""
    file = write(layout, table(cells()), Path("data"))
    data = file.read_bytes()
    name = rng.choice(sorted(BYTES))
    foot = max(len(data) - 600, len(data) // 2)
    if name == "cut":
        file.write_bytes(BYTES[name](data, rng))
    elif rng.random() < 0.8:
        file.write_bytes(data[:foot] + BYTES[name](data[foot:], rng))
    else:
        file.write_bytes(BYTES[name](data[:100], rng) + data[100:])
    return f"file: {name}", "", "file"


def _description(rng: random.Random, home: Path, layout: str) -> tuple:
    """The JSON beside a saved data set."""
    write(layout, table(cells()), Path("data"))
    name = rng.choice(["state.json", "dataset_info.json"])
    file = Path("data", name)
    if rng.random() < 0.3:
        way, content = broken_text(file.read_text(), rng)
        file.write_bytes(content)
        return f"{name}, text: {way}", "", "equal"
    found = read_json(file)
    key = rng.choice(sorted(found))
    if key == "_data_files" and rng.random() < 0.7:
        secret = str(home / "secret" / "secret.arrow")
        new: Any = [{"filename": rng.choice([secret, os.path.relpath(secret, "data"), "/dev/zero", "", 5, None])}]
    else:
        new = wrong_value(found[key], rng)
    if same(new, found[key]):
        new = 5
    found[key] = new
    file.write_text(json.dumps(found))
    return f"{name}: {key}", repr(new)[:80], "equal"
