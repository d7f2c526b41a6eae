"""Tars of samples, idx files, and tables that describe the images beside them."""

import gzip
import io
import json
import os
import pickle
import random
import shutil
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from .. import doors
from ..cases import Case
from ..damage import BYTES
from ..foreign import FOREIGN
from .tables import BAD, ROWS, encoded, hostile_paths, judge_stream, own_cache

IDX = ("plain", "gzip")


def controls(home: Path) -> dict[str, Callable[[], dict]]:
    def tar(streaming: bool) -> Callable[[], dict]:
        def run() -> dict:
            own_cache()
            write_tar(Path("data"), _samples())
            return doors.data("data", **({"streaming": True} if streaming else {}))

        return run

    def idx(form: str) -> Callable[[], dict]:
        def run() -> dict:
            write_idx(Path("data"), form)
            return doors.data("data")

        return run

    def metadata() -> dict:
        shutil.copytree(home / "photos", "data")
        _write_rows(Path("data"), "metadata.csv", _rows(Path("data")))
        return doors.data("data")

    found = {f"idx {form}": idx(form) for form in IDX}
    return found | {"tar": tar(False), "tar, stream": tar(True), "metadata": metadata}


# Tars


def _samples() -> list[tuple[Any, bytes]]:
    found = []
    for i in range(ROWS):
        found += [(f"s{i}.png", encoded(i)), (f"s{i}.cls", b"%d" % (i % 2))]
    return found


def write_tar(folder: Path, members: list, form: int = tarfile.PAX_FORMAT, mode: str = "w") -> Path:
    """Members are (name, content), or (`TarInfo`, content)."""
    folder.mkdir()
    with tarfile.open(folder / "train.tar", mode, format=form) as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = info.size or len(content)
            archive.addfile(info, io.BytesIO(content))
    return folder / "train.tar"


class _Marks:
    """Unpickled, it leaves a mark."""

    def __reduce__(self):
        return os.system, ('echo > "$FAULTS_MARKS/code ran"',)


def _info(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", **headers: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.pax_headers = kind, target, headers
    return info


def tars(rng: random.Random, home: Path, known: dict) -> Case:
    own_cache()
    samples = _samples()
    at = 2 * BAD
    good = samples[at][1]
    secret = str(home / "secret" / "secret.png")
    kinds = {"link out": tarfile.SYMTYPE, "hard link out": tarfile.LNKTYPE, "pipe": tarfile.FIFOTYPE}
    kinds |= {"device": tarfile.CHRTYPE, "block device": tarfile.BLKTYPE, "folder": tarfile.DIRTYPE}
    names = {
        "absolute name": "/x/s5.png",
        "name ..": "../s5.png",
        "name of bytes": "s5\udcff.png",
        "long name": "x" * 5000,
    }
    names |= {
        "name with a break": "s5\n\u202e.png",
        "two dots": "s5.x.png",
        "name empty": ".png",
        "name http": "http://127.0.0.1/s5.png",
    }
    contents = {
        "cut": good[:200],
        "empty": b"",
        "bomb": (home / "bombs" / "grey.png").read_bytes(),
        "text": b"no picture",
    }
    way = rng.choice(
        [*kinds, *names, *contents, "foreign", "foreign", "class", "json", "pickle", "numpy", "torch", "twice"]
        + [
            "no image",
            "no class",
            "file bytes",
            "file bytes",
            "file bytes",
            "gzip",
            "claimed size",
            "many",
            "no members",
        ]
        + ["pax size", "path in json"]
    )
    meant, detail, mode = "refused", "", "w"
    if way in kinds:
        samples[at] = (_info("s5.png", kinds[way], secret), b"")
    elif way in names:
        samples[at], meant = (names[way], good), "equal"
    elif way in contents:
        samples[at] = ("s5.png", contents[way])
    elif way == "foreign":
        detail = rng.choice(sorted(FOREIGN))
        samples[at] = ("s5.png", FOREIGN[detail]())
    elif way == "class":
        detail = rng.choice(["abc", "-1", "1e99", "", "9" * 5000, "\0", "1.5", "\u202e", "nan"])
        samples[at + 1], meant = ("s5.cls", detail.encode()), "equal"
    elif way in ("json", "path in json"):
        text = json.dumps({"image": secret, "path": secret}) if way == "path in json" else "[" * 50_000
        samples[at + 1], meant = ("s5.json", text.encode()), "equal"
    elif way in ("pickle", "numpy", "torch"):
        extension = {"pickle": rng.choice(["pyd", "pickle", "pkl"]), "numpy": "npy", "torch": "pth"}[way]
        samples.insert(at + 1, (f"s5.{extension}", pickle.dumps(_Marks())))
        detail, meant = extension, "equal"
    elif way == "twice":
        samples.insert(at, samples[at])
        meant = "equal"
    elif way == "no image":
        del samples[at]
    elif way == "no class":
        del samples[at + 1]
        meant = "equal"
    elif way == "gzip":
        mode, meant = "w:gz", "equal"
    elif way == "many":
        samples[at:at] = [(f"e{i}.png", b"") for i in range(2000)]
    elif way == "no members":
        samples = []
    elif way == "pax size":
        samples[at] = (_info("s5.png", size=rng.choice(["-1", "x", "9" * 30])), good)
    file = write_tar(Path("data"), samples, mode=mode)
    data = file.read_bytes()
    if way == "file bytes":
        name = rng.choice(sorted(BYTES))
        way, meant = f"file: {name}", "file"
        header = 512 * rng.randrange(len(data) // 512)
        if name == "cut":
            file.write_bytes(BYTES[name](data, rng))
        else:
            file.write_bytes(data[:header] + BYTES[name](data[header : header + 160], rng) + data[header + 160 :])
            meant = "file"
    elif way == "claimed size":
        header = data.index(b"s5.png")
        changed = bytearray(data)
        changed[header + 124 : header + 136] = rng.choice([b"77777777777\0", b"-0000000001\0", b"\x80" + b"\xff" * 11])
        block = changed[header : header + 512]
        block[148:156] = b" " * 8
        changed[header + 148 : header + 156] = b"%06o\0 " % sum(block)
        file.write_bytes(changed)
    streaming = rng.random() < 0.3
    expected = known["tar, stream" if streaming else "tar"]
    bad = known["table parquet"]["used"][f"row {BAD} ({BAD}.png)"][1]
    judge = judge_stream(expected, bad, meant)
    options = {"streaming": True} if streaming else {}
    return Case(
        f"tar: {way}",
        f"load_data{', streaming' if streaming else ''}",
        lambda: doors.data("data", **options),
        judge,
        detail=detail,
    )


# idx files


def _idx(axes: tuple[int, ...], content: bytes) -> bytes:
    return struct.pack(f">HBB{len(axes)}I", 0, 8, len(axes), *axes) + content


def write_idx(folder: Path, form: str) -> None:
    folder.mkdir()
    pixels = random.Random(3).randbytes(ROWS * 12 * 12)
    for name, data in {
        "train-images-idx3-ubyte": _idx((ROWS, 12, 12), pixels),
        "train-labels-idx1-ubyte": _idx((ROWS,), bytes(i % 2 for i in range(ROWS))),
    }.items():
        if form == "gzip":
            (folder / f"{name}.gz").write_bytes(gzip.compress(data, mtime=0))
        else:
            (folder / name).write_bytes(data)


def idx(rng: random.Random, home: Path, known: dict) -> Case:
    form = rng.choice(IDX)
    write_idx(Path("data"), form)
    file = rng.choice(sorted(Path("data").iterdir()))
    way = rng.choice(["bytes", "bytes", "bytes", "counts", "type", "bomb", "none", "more", "axes"])
    data = file.read_bytes()
    meant = "equal"
    if way == "bytes":
        name = rng.choice(sorted(BYTES))
        end = (
            len(data) if form == "gzip" or name in ("cut", "bytes inserted", "bytes removed", "bytes appended") else 8
        )
        file.write_bytes(BYTES[name](data[:end], rng) + data[end:])
        way = f"bytes: {name}"
    elif way in ("counts", "type", "axes", "more"):
        plain = bytearray(gzip.decompress(data) if form == "gzip" else data)
        if way == "counts":
            at = 4 + 4 * rng.randrange(plain[3])
            plain[at : at + 4] = rng.choice([0, 1, ROWS + 1, 2**31, 2**32 - 1]).to_bytes(4, "big")
        elif way == "type":
            plain[2] = rng.choice([9, 11, 12, 13, 14, 0, 255])
        elif way == "axes":
            plain[3] = rng.choice([0, 2, 4, 255])
        else:
            plain += b"\0" * 5
        meant = "refused"
        file.write_bytes(gzip.compress(bytes(plain)) if form == "gzip" else bytes(plain))
    elif way == "bomb":
        file.unlink()
        shutil.copy(home / "bombs" / "zeros.gz", file.with_name(file.name.removesuffix(".gz") + ".gz"))
        meant = "refused"
    elif way == "none":
        file.unlink()
        ways: dict[str, Callable] = {
            "folder": lambda: file.mkdir(),
            "pipe": lambda: os.mkfifo(file),
            "link to zeros": lambda: file.symlink_to("/dev/zero"),
            "link to itself": lambda: file.symlink_to(file.name),
            "empty": lambda: file.touch(),
        }
        way = rng.choice(sorted(ways))
        ways[way]()
        meant = "refused"
    expected = known[f"idx {form}"]

    def judge(found: dict) -> str:
        wanted, now = ([v[:2] for v in x["used"].values()] for x in (expected, found))
        if sorted(map(str, wanted)) == sorted(map(str, now)):
            return "equal"
        return f"accepted with {len(now)} other images of {list(found['used'].values())[:1]}"

    if meant == "refused" and "labels" in file.name and way in ("folder", "pipe", "link to zeros", "link to itself"):
        meant = "equal"  # unlabelled images are images
    if meant == "refused":
        judge = lambda found: f"accepted: {list(found['used'].values())[:1]}"  # noqa: E731
    return Case(f"idx: {way}", "load_data", lambda: doors.data("data"), judge, detail=f"{form} {file.name}")


# Tables that describe the images beside them


def _rows(folder: Path) -> list[dict]:
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.*") if p.suffix in (".png", ".jpg"))
    return [{"file_name": file, "label": file.split("/")[0][:3]} for file in files]


def _write_rows(folder: Path, name: str, rows: list[dict]) -> Path:
    file = folder / name
    if name.endswith(".csv"):
        names = [*rows[0]]
        lines = [",".join(names), *(",".join(f'"{row.get(n)}"' for n in names) for row in rows)]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogatepass")
    elif name.endswith(".jsonl"):
        file.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file


def metadata(rng: random.Random, home: Path, known: dict) -> Case:
    own_cache()
    folder = Path("data")
    shutil.copytree(home / "photos", folder)
    rows = _rows(folder)
    name = rng.choice(["metadata.csv", "metadata.jsonl", "metadata.parquet"])
    way = rng.choice(["file name", "file name", "file name", "bytes", "bytes", "label", "columns", "text", "no file"])
    detail = ""
    if way == "file name":
        paths = hostile_paths(home, folder)
        kind = rng.choice([k for k in sorted(paths) if k not in ("empty", "line break", "zero byte")])
        rows[4]["file_name"] = paths[kind]
        way, detail = f"file name: {kind}", str(paths[kind])[:80]
        _write_rows(folder, name, rows)
    elif way == "label":
        values = [None, -1, 1.5, "", "x" * 200_000, "\u202e\0", [1], {"a": 1}]
        rows[4]["label"] = rng.choice(values if name.endswith("jsonl") else values[3:6])
        detail = repr(rows[4]["label"])[:40]
        _write_rows(folder, name, rows)
    elif way == "columns":
        detail = rng.choice(["no file_name", "no label", "none"])
        rows = [{k: v for k, v in row.items() if k != detail[3:] and detail != "none"} or {"x": 1} for row in rows]
        _write_rows(folder, name, rows)
    elif way == "bytes":
        file = _write_rows(folder, name, rows)
        kind = rng.choice(sorted(BYTES))
        file.write_bytes(BYTES[kind](file.read_bytes(), rng))
        way = f"bytes: {kind}"
    elif way == "text":
        name = rng.choice(["metadata.csv", "metadata.jsonl"])
        forms = {
            "nested": b"[" * 100_000,
            "long field": b'file_name,label\n"' + b"x" * 300_000 + b'",a\n',
            "zero bytes": b"file_name,label\na\0.png,b\n",
            "UTF-16": "file_name,label\nx.png,a\n".encode("utf-16"),
            "open quote": b'file_name,label\n"cats/00.png,a\n' + b"x\n" * 1000,
            "numbers": b"1\n2\n",
            "list": b"[]\n[1]\n",
            "empty": b"",
            "break": b"\r\r\n\n",
            "same columns": b"file_name,file_name,label,label\ncats/00.png,x,a,b\n",
        }
        detail = rng.choice(sorted(forms))
        (folder / name).write_bytes(forms[detail])
    else:
        ways: dict[str, Callable] = {
            "folder": lambda f: f.mkdir(),
            "pipe": os.mkfifo,
            "link to zeros": lambda f: f.symlink_to("/dev/zero"),
            "not readable": lambda f: (f.touch(), f.chmod(0)),
        }
        detail = rng.choice(sorted(ways))
        ways[detail](folder / name)
    expected = known["metadata"]

    def judge(found: dict) -> str:
        good, now = ({k: v[:2] for k, v in x["used"].items()} for x in (expected, found))
        return "equal" if good == now else f"accepted with other images: {sorted({*good} ^ {*now})[:3]}"

    return Case(f"{name}: {way}", "load_data", lambda: doors.data("data"), judge, detail=detail)


def make_secret(folder: Path) -> None:
    """What must not come in: a picture, and the same in an archive and a table."""
    import zipfile

    folder.mkdir()
    from ..material import picture

    picture(4321).save(folder / "secret.png")
    with zipfile.ZipFile(folder / "secret.zip", "w") as archive:
        archive.write(folder / "secret.png", "secret.png")
    from .tables import cells, table, write

    shutil.copy(
        write("saved", table([{"bytes": encoded(4321), "path": None}] * len(cells())), folder / "x"),
        folder / "secret.arrow",
    )


def make_bomb(file: Path) -> None:
    """Gigabytes of zeros in a few megabytes, behind the head of an idx file."""
    file.write_bytes(gzip.compress(_idx((10**6, 32, 32), b"")) + gzip.compress(bytes(30_000_000)) * 200)
