"""A damaged picture among good ones: it is named, and the others are used as if it were not there."""

import os
import random
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import doors
from ..cases import Case
from ..damage import BYTES
from ..foreign import FOREIGN
from ..material import PICTURES

BAD = "11a"  # the stem of the damaged picture, in the middle of its class
LARGE = 180_000_000  # pixels; nobody opens more


def controls(home: Path) -> dict[str, Callable[[], dict]]:
    """What comes out of the folder with an undamaged picture of every format in it."""

    def opened(extension: str) -> Callable[[], dict]:
        def run() -> dict:
            shutil.copytree(home / "photos", "photos")
            shutil.copy(home / "pictures" / f"one.{extension}", f"photos/cats/{BAD}.{extension}")
            return doors.data("photos")

        return run

    return {f"picture {extension}": opened(extension) for extension in PICTURES}


def judge_data(expected: dict, is_bad: Callable[[str], bool], name: str, meant: str) -> Callable[[dict], str]:
    """
    Args:
        expected (`dict`): what came in before the damage.
        is_bad (`Callable`): whether a name is that of what was damaged.
        name (`str`): what has to be said where it is not used.
        meant (`str`): "refused", "equal", or "picture" where another picture can be meant.
    """
    good = {key: value for key, value in expected["used"].items() if not is_bad(key)}
    bad = {key: value for key, value in expected["used"].items() if is_bad(key)}

    def judge(found: dict) -> str:
        used = {key: value for key, value in found["used"].items() if not is_bad(key)}
        if lost := sorted(good.keys() - used.keys()):
            return f"accepted without {lost[:3]} and {len(lost)} in all, which are good; said: {found['said'][:200]}"
        if changed := sorted(key for key in used if key not in good or _pixels(used[key]) != _pixels(good[key])):
            return f"accepted with others: {changed[:3]}"
        now = {key: value for key, value in found["used"].items() if is_bad(key)}
        if not now:
            return "named" if name in found["said"] else f"left out without a word; said: {found['said'][-300:]}"
        if meant == "refused":
            return f"accepted: {list(now.items())[:2]}"
        if [_pixels(v) for v in now.values()] == [_pixels(v) for v in bad.values()]:
            return "equal"
        return "another picture" if meant == "picture" else f"accepted with other pixels: {list(now.items())[:2]}"

    return judge


def _pixels(value: list) -> list:
    return value[:2]


def case(rng: random.Random, home: Path, known: dict) -> Case:
    shutil.copytree(home / "photos", "photos")
    extension = rng.choice(sorted(PICTURES))
    data = (home / "pictures" / f"one.{extension}").read_bytes()
    ways = [_bytes, _structure, _bomb, _foreign, _wrong_name, _no_file]
    damage = rng.choices(ways, [7, 9, 2, 4, 1, 2])[0]
    mutator, damaged, extension, meant = damage(rng, data, extension, home)
    file = Path("photos", "cats", f"{BAD}.{extension}" if extension else BAD)
    if isinstance(damaged, bytes):
        file.write_bytes(damaged)
    elif damaged is not None:
        damaged(file)
    expected = known[f"picture {extension if extension in PICTURES else 'png'}"]
    judge = judge_data(expected, lambda key: BAD in key, file.name, meant)
    if not isinstance(damaged, bytes) or extension not in PICTURES:
        judge = _by_name_or_kind(judge, file)
    return _behind_a_door(rng, mutator, judge, meant, file.name)


def _by_name_or_kind(judge: Callable, file: Path) -> Callable[[dict], str]:
    """What is no file, or is called like no picture, is counted by its kind."""
    words = [file.suffix, "link", "pipe", "folder", "not an image", "no extension", "hidden"]

    def judged(found: dict) -> str:
        verdict = judge(found)
        counted = verdict.startswith("left out without") and any(w and w in found["said"] for w in words)
        return "named" if counted else verdict

    return judged


def _behind_a_door(rng: random.Random, mutator: str, judge: Callable, meant: str, name: str) -> Case:
    door = rng.choices(["load_data", "evaluate", "pretrain"], [20, 2, 1])[0]
    if door == "load_data":
        return Case(mutator, door, lambda: doors.data("photos"), judge, detail=name)

    def by_command(found: dict) -> str:
        return judge(doors.data("photos"))

    if door == "evaluate":
        repository = Path(os.environ["FAULTS_HOME"], "repositories", "simclr")
        return Case(mutator, door, lambda: doors.evaluated(str(repository), "photos"), by_command, detail=name)
    return Case(mutator, door, lambda: doors.pretrained("--data", "photos"), by_command, detail=name)


# Bytes


def _bytes(rng: random.Random, data: bytes, extension: str, home: Path) -> tuple:
    name = rng.choice(sorted(BYTES))
    if name != "cut" and rng.random() < 0.6:  # where the sizes stand
        head = min(len(data), 200)
        return f"{extension}, head: {name}", BYTES[name](data[:head], rng) + data[head:], extension, "picture"
    return f"{extension}: {name}", BYTES[name](data, rng), extension, "equal" if name == "cut" else "picture"


# Structure

_SIDES = (0, 1, 2**14, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)


def _structure(rng: random.Random, data: bytes, extension: str, home: Path) -> tuple:
    kind = {"jpg": _jpeg, "png": _png, "gif": _gif, "bmp": _bmp, "dib": _bmp, "webp": _riff, "tif": _tiff}.get(
        extension, _boxes if extension in ("jp2", "avif") else _netpbm
    )
    way, damaged, meant = kind(rng, data)
    return f"{extension}: {way}", damaged, extension, meant


def _side(rng: random.Random, width: int) -> int:
    return rng.choice([side for side in _SIDES if side < 2 ** (8 * width)])


def _chunks(data: bytes) -> list[list[bytes]]:
    found, at = [], 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found.append([data[at + 4 : at + 8], data[at + 8 : at + 8 + size]])
        at += 12 + size
    return found


def png(chunks: list) -> bytes:
    """A file of (name, content) or (name, content, checksum)."""
    made = b"\x89PNG\r\n\x1a\n"
    for name, content, *checksum in chunks:
        sum_ = checksum[0] if checksum else zlib.crc32(name + content)
        made += len(content).to_bytes(4, "big") + name + content + sum_.to_bytes(4, "big")
    return made


def _png(rng: random.Random, data: bytes) -> tuple[str, bytes, str]:
    chunks = _chunks(data)
    header = bytearray(chunks[0][1])
    ways = ["size", "depth", "colour", "interlace", "chunk missing", "chunk twice", "chunk elsewhere", "checksum"]
    ways += ["length", "text bomb", "profile bomb", "many chunks", "frames", "unknown chunk", "pixels cut", "palette"]
    way = rng.choice([*ways, "exif"])
    if way == "size":
        at = rng.choice([0, 4])
        side = _side(rng, 4)
        header[at : at + 4] = side.to_bytes(4, "big")
        chunks[0][1] = bytes(header)
        return way, png(chunks), "refused" if side == 0 or side >= 2**14 else "picture"
    if way in ("depth", "colour", "interlace"):
        header[{"depth": 8, "colour": 9, "interlace": 12}[way]] = rng.choice([0, 1, 3, 5, 7, 16, 32, 255])
        chunks[0][1] = bytes(header)
        return way, png(chunks), "picture"
    at = rng.randrange(len(chunks))
    if way == "chunk missing":
        name = chunks.pop(at)[0]
        return f"{way}: {name.decode()}", png(chunks), "refused" if name in (b"IHDR", b"IDAT") else "equal"
    if way == "chunk twice":
        chunks.insert(at, chunks[at])
        return f"{way}: {chunks[at][0].decode()}", png(chunks), "picture"
    if way == "chunk elsewhere":
        rng.shuffle(chunks)
        return way, png(chunks), "equal"
    if way == "checksum":
        chunks[at].append(5)
        return f"{way}: {chunks[at][0].decode()}", png(chunks), "equal"
    if way == "length":
        position = data.index(chunks[at][0]) - 4
        size = rng.choice([0, 2**31 - 1, 2**32 - 1, 2**31, 10**6])
        return way, data[:position] + size.to_bytes(4, "big") + data[position + 4 :], "equal"
    if way in ("text bomb", "profile bomb"):
        bomb = zlib.compress(bytes(200_000_000), 9)
        name = rng.choice([b"zTXt", b"iTXt"]) if way == "text bomb" else b"iCCP"
        content = b"x\0\1\0\0\0" + bomb if name == b"iTXt" else b"x\0\0" + bomb
        chunks.insert(1, [name, content])
        return f"{way}: {name.decode()}", png(chunks), "equal"
    if way == "many chunks":
        return way, png([chunks[0], *[[b"tEXt", b"k\0v"]] * 100_000, *chunks[1:]]), "equal"
    if way == "frames":
        control = struct.pack(">II", rng.choice([0, 1, 2**31 - 1, 2**32 - 1]), 0)
        chunks.insert(1, [b"acTL", control])
        if rng.random() < 0.5:
            chunks.insert(2, [b"fcTL", struct.pack(">IIIIIHHBB", 0, 2**31 - 1, 36, 0, 0, 0, 0, 9, 9)])
        return way, png(chunks), "picture"
    if way == "unknown chunk":
        name = rng.choice([b"ABCD", b"abcd", b"\0\0\0\0", b"IDAX", b"iEND"])
        chunks.insert(1, [name, rng.randbytes(20)])
        return way, png(chunks), "equal"
    if way == "pixels cut":
        for chunk in chunks:
            if chunk[0] == b"IDAT":
                chunk[1] = zlib.compress(zlib.decompress(chunk[1])[: rng.randrange(1000)])
        return way, png(chunks), "refused"
    if way == "palette":
        chunks.insert(1, [b"PLTE", rng.randbytes(rng.choice([0, 1, 3, 2000]))])
        return way, png(chunks), "equal"
    chunks.insert(1, [b"eXIf", rng.choice([_exif(rng), rng.randbytes(40), b"", b"II*\0\xff\xff\xff\xff"])])
    return way, png(chunks), "picture"


def _exif(rng: random.Random) -> bytes:
    orientation = rng.choice([0, 1, 6, 9, 255, 65535])
    count = rng.choice([1, 0, 2**31, 2**32 - 1])
    kind = rng.choice([3, 3, 2, 5, 0, 99])
    offset = rng.choice([8, 8, 2**32 - 1, 0])
    entry = struct.pack("<HHIHH", 0x0112, kind, count, orientation, 0)
    return (
        b"II*\0"
        + struct.pack("<IH", offset, rng.choice([1, 0, 65535]))
        + entry
        + rng.choice([bytes(4), b"\x08\0\0\0"])
    )


def _segments(data: bytes) -> tuple[list[tuple[int, int, int]], int]:
    """(marker, start, end) of a JPEG up to its pixels, and where those start."""
    found, at = [], 2
    while True:
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        found.append((marker, at, at + 2 + size))
        at += 2 + size
        if marker == 0xDA:
            return found, at


def _jpeg(rng: random.Random, data: bytes) -> tuple[str, bytes, str]:
    segments, pixels = _segments(data)
    way = rng.choice(
        ["size", "segment missing", "segment twice", "no end", "many segments", "exif", "profile", "precision"]
        + ["sampling", "components", "length", "two pictures", "restart", "pixels cut", "comment"]
    )
    frame = next(start for marker, start, _ in segments if marker in (0xC0, 0xC2))
    changed = bytearray(data)
    if way == "size":
        at, side = rng.choice([5, 7]), _side(rng, 2)
        changed[frame + at : frame + at + 2] = side.to_bytes(2, "big")
        return way, bytes(changed), "refused" if side == 0 else "picture"
    if way in ("segment missing", "segment twice"):
        marker, start, end = rng.choice(segments)
        if way == "segment missing":
            return f"{way}: {marker:02x}", data[:start] + data[end:], "picture"
        return f"{way}: {marker:02x}", data[:end] + data[start:], "picture"
    if way == "no end":
        return way, data[:-2], "equal"
    if way in ("many segments", "comment"):
        segment = b"\xff\xe5\0\x04ab" * 50_000 if way == "many segments" else b"\xff\xfe\xff\xff" + bytes(65533)
        return way, data[:2] + segment + data[2:], "equal"
    if way in ("exif", "profile"):
        content = b"Exif\0\0" + rng.choice([_exif(rng), rng.randbytes(50), b"", b"MM\0*\0\0\0\x08\xff\xff"])
        if way == "profile":
            content = b"ICC_PROFILE\0" + bytes([rng.randrange(4), rng.randrange(4)]) + rng.randbytes(100)
        marker = b"\xff\xe1" if way == "exif" else b"\xff\xe2"
        segment = marker + (len(content) + 2).to_bytes(2, "big") + content
        return way, data[:2] + segment + data[2:], "picture" if way == "exif" else "equal"
    if way in ("precision", "components"):
        changed[frame + {"precision": 4, "components": 9}[way]] = rng.choice([0, 1, 2, 4, 12, 16, 255])
        return way, bytes(changed), "picture"
    if way == "sampling":
        changed[frame + 11] = rng.choice([0, 0x14, 0x41, 0x44, 0xFF])
        return way, bytes(changed), "picture"
    if way == "length":
        _, start, _ = rng.choice(segments)
        changed[start + 2 : start + 4] = rng.choice([b"\0\0", b"\0\1", b"\0\2", b"\xff\xff"])
        return way, bytes(changed), "picture"
    if way == "two pictures":
        return way, data + data, "equal"
    if way == "restart":
        return way, data[:pixels] + b"\xff\xd0\xff\xd7" * rng.choice([1, 1000]) + data[pixels:], "picture"
    return way, data[: pixels + rng.randrange((len(data) - pixels) * 3 // 4)], "refused"


def _gif(rng: random.Random, data: bytes) -> tuple[str, bytes, str]:
    way = rng.choice(
        ["screen", "frame size", "frame outside", "code size", "no pixels", "many frames", "palette", "cut"]
    )
    changed = bytearray(data)
    table = 3 * 2 ** ((data[10] & 7) + 1) if data[10] & 0x80 else 0
    at = data.index(b",", 13 + table)
    if way == "screen":
        changed[6 + rng.choice([0, 2]) :][:2] = b""
        position = rng.choice([6, 8])
        changed[position : position + 2] = _side(rng, 2).to_bytes(2, "little")
        return way, bytes(changed), "picture"
    if way == "frame size":
        position = at + rng.choice([5, 7])
        side = _side(rng, 2)
        changed[position : position + 2] = side.to_bytes(2, "little")
        return way, bytes(changed), "refused" if side >= 2**14 else "picture"
    if way == "frame outside":
        changed[at + 1 : at + 3] = rng.choice([b"\xff\xff", b"\x28\0", b"\0\x80"])
        return way, bytes(changed), "picture"
    if way == "code size":
        changed[at + 10] = rng.choice([0, 1, 12, 13, 255])
        return way, bytes(changed), "picture"
    if way == "no pixels":
        return way, data[: at + 11] + b"\0;", "refused"
    if way == "many frames":
        return way, data[:at] + data[at:-1] * 3000 + b";", "equal"
    if way == "palette":
        changed[10] ^= rng.choice([0x80, 0x07, 0x01])
        return way, bytes(changed), "picture"
    return way, data[: rng.randrange(at + 11, len(data) * 3 // 4)], "refused"


def _bmp(rng: random.Random, data: bytes) -> tuple[str, bytes, str]:
    start = 14 if data[:2] == b"BM" else 0
    fields = {"header size": (0, 4), "width": (4, 4), "height": (8, 4), "planes": (12, 2), "depth": (14, 2)}
    fields |= {"compression": (16, 4), "colours": (32, 4)}
    way = rng.choice([*fields, "pixels at", "pixels cut"])
    changed = bytearray(data)
    if way == "pixels at" and start:
        changed[10:14] = _side(rng, 4).to_bytes(4, "little")
        return way, bytes(changed), "picture"
    if way in ("pixels at", "pixels cut"):
        return "pixels cut", data[: rng.randrange(start + 40, len(data) - 200)], "refused"
    at, width = fields[way]
    value = rng.choice([_side(rng, width), rng.choice([0, 1, 2, 3, 4, 5, 8, 16, 24, 32])])
    changed[start + at : start + at + width] = value.to_bytes(width, "little")
    huge = way in ("width", "height") and 2**14 <= value < 2**31 - 1
    return way, bytes(changed), "refused" if huge else "picture"


def _riff(rng: random.Random, data: bytes) -> tuple[str, bytes, str]:
    way = rng.choice(["size", "chunk size", "sides", "animation", "form", "chunk missing", "profile", "pixels cut"])
    changed = bytearray(data)
    if way in ("size", "chunk size"):
        at = 4 if way == "size" else 16
        changed[at : at + 4] = _side(rng, 4).to_bytes(4, "little")
        return way, bytes(changed), "equal"
    if way == "sides":
        changed[21:25] = rng.choice([bytes(4), b"\xff" * 4, b"\xff\x3f\0\0", rng.randbytes(4)])
        return way, bytes(changed), "picture"
    if way == "form":
        changed[8:12] = rng.choice([b"WAVE", b"webp", b"AVI ", bytes(4)])
        return way, bytes(changed), "refused"
    if way == "chunk missing":
        return way, data[:12], "refused"
    if way == "pixels cut":
        return way, data[: rng.randrange(26, len(data) * 3 // 4)], "refused"
    side = rng.choice([39, 2**24 - 1, 0])
    flags = 0x02 if way == "animation" else 0x20
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([flags, 0, 0, 0]) + side.to_bytes(3, "little") * 2
    extra = b"ANIM" + struct.pack("<IIH", 6, 0, 0) if flags == 2 else b"ICCP" + struct.pack("<I", 8) + rng.randbytes(8)
    body = extended + extra + data[12:]
    return way, b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body, "picture"


def _tiff(rng: random.Random, data: bytes) -> tuple[str, bytes, str]:
    order = "<" if data[:2] == b"II" else ">"
    changed = bytearray(data)
    directory = struct.unpack(f"{order}I", data[4:8])[0]
    count = struct.unpack(f"{order}H", data[directory : directory + 2])[0]
    way = rng.choice(["directory at", "entries", "tag", "type", "count", "value", "value", "next", "pixels cut"])
    at = directory + 2 + 12 * rng.randrange(count)
    tag = struct.unpack(f"{order}H", data[at : at + 2])[0]
    if way == "directory at":
        changed[4:8] = struct.pack(f"{order}I", rng.choice([0, 4, directory + 1, len(data), 2**32 - 1]))
    elif way == "entries":
        changed[directory : directory + 2] = struct.pack(f"{order}H", rng.choice([0, 1, count + 1, 65535]))
    elif way == "tag":
        changed[at : at + 2] = struct.pack(f"{order}H", rng.choice([0, 256, 258, 330, 34665, 50838, 65535]))
    elif way == "type":
        changed[at + 2 : at + 4] = struct.pack(f"{order}H", rng.choice([0, 2, 5, 12, 13, 99, 65535]))
    elif way == "count":
        changed[at + 4 : at + 8] = struct.pack(f"{order}I", rng.choice([0, 2, 10**6, 2**31, 2**32 - 1]))
    elif way == "value":
        changed[at + 8 : at + 12] = struct.pack(f"{order}I", rng.choice([0, 1, 3, 5, 7, 8, 65535, 2**31, 2**32 - 1]))
    elif way == "next":
        end = directory + 2 + 12 * count
        changed[end : end + 4] = struct.pack(f"{order}I", rng.choice([directory, 4, 2**32 - 1, len(data)]))
        return way, bytes(changed), "equal"
    else:
        return way, data[: rng.randrange(8, len(data) // 2)], "equal"
    return f"{way}, tag {tag}" if way in ("type", "count", "value") else way, bytes(changed), "picture"


def _boxes(rng: random.Random, data: bytes) -> tuple[str, bytes, str]:
    """The boxes of JPEG 2000 and AVIF, and the sizes that stand in them."""
    sizes = [name for name in (b"ihdr", b"ispe", b"\xff\x51") if name in data]
    way = rng.choice(["box length", "box name", "box length 64", "pixels cut", *["size"] * 2])
    changed = bytearray(data)
    names = [
        name
        for name in (b"jp2h", b"ihdr", b"jp2c", b"ftyp", b"meta", b"iloc", b"iprp", b"ispe", b"mdat")
        if name in data
    ]
    name = rng.choice(names)
    at = data.index(name)
    if way == "box length":
        changed[at - 4 : at] = rng.choice([0, 1, 7, 8, 2**31, 2**32 - 1]).to_bytes(4, "big")
    elif way == "box length 64":
        changed[at - 4 : at] = (1).to_bytes(4, "big")
    elif way == "box name":
        changed[at : at + 4] = rng.choice([b"xxxx", bytes(4), b"free"])
    elif way == "size" and sizes:
        where = rng.choice(sizes)
        position = data.index(where) + {b"ihdr": 4, b"ispe": 8, b"\xff\x51": 6}[where] + rng.choice([0, 4])
        changed[position : position + 4] = _side(rng, 4).to_bytes(4, "big")
    else:
        return way, data[: rng.randrange(40, len(data) * 3 // 4)], "refused"
    return f"{way}: {name.decode()}" if way != "size" else way, bytes(changed), "picture"


def _netpbm(rng: random.Random, data: bytes) -> tuple[str, bytes, str]:
    magic, pixels = data[:2], data.split(b"\n", 3)[-1]
    way = rng.choice(["sides", "largest value", "comment", "magic", "no pixels", "text", "more", "pixels cut"])
    width, height, largest, comment = b"40", b"36", b"255", b""
    meant = "picture"
    if way == "sides":
        width = rng.choice([b"0", b"-1", b"1e9", b"99999999999999999999", b"65535", b"", b"40.5", b"x" * 10**6])
        meant = "refused"
    elif way == "largest value":
        largest = rng.choice([b"0", b"-1", b"1", b"65535", b"65536", b"9" * 100_000, b""])
    elif way == "comment":
        comment, meant = b"#" + b"x" * 5_000_000 + b"\n", "equal"
    elif way == "magic":
        magic = rng.choice([b"P1", b"P2", b"P3", b"P4", b"P7", b"P9", b"Pf", b"PF", b"Py"])
    elif way == "no pixels":
        pixels, meant = b"", "refused"
    elif way == "more":
        pixels, meant = pixels + bytes(1000), "equal"
    elif way == "pixels cut":
        pixels, meant = pixels[: rng.randrange(len(pixels) * 3 // 4)], "refused"
    else:
        magic, pixels = b"P3", b"1 " * rng.choice([100, 40 * 36 * 3]) + b"x"
    return way, magic + b"\n" + comment + width + b" " + height + b"\n" + largest + b"\n" + pixels, meant


# Bombs: little to read, much to make of it


def make_bombs(folder: Path) -> None:
    """Once for all cases, for they take seconds."""
    folder.mkdir()
    side = 30_000
    row = b"\0" + bytes(side // 8)
    packer = zlib.compressobj(9)
    idat = b"".join(packer.compress(row * 1000) for _ in range(side // 1000)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    (folder / "grey.png").write_bytes(png([(b"IHDR", header), (b"IDAT", idat), (b"IEND", b"")]))
    header = struct.pack("<IIIHHIIIIII", 40, side, side, 1, 8, 1, 0, 0, 0, 0, 0)
    lines = (b"\xff\0" * (side // 255) + b"\0\0") * 100
    (folder / "runs.bmp").write_bytes(b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024) + header + bytes(1024) + lines)
    (folder / "tall.gif").write_bytes(
        b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\2\2\x4c\1\0;"
    )
    (folder / "frame.jpg").write_bytes(_progressive(65000, 300))
    (folder / "scans.jpg").write_bytes(_progressive(6000, 3000))


def _progressive(side: int, scans: int) -> bytes:
    """A grey JPEG without a coefficient, whose pixels are gone over so many times: minutes for some kilobytes."""
    tables = b"\xff\xdb\0\x43\0" + b"\1" * 64
    frame = b"\xff\xc2\0\x0b\x08" + struct.pack(">HH", side, side) + b"\1\1\x11\0"
    codes = b"\xff\xc4\0\x14\0\1" + bytes(15) + b"\0" + b"\xff\xc4\0\x14\x10\1" + bytes(15) + b"\xe0"
    scan = b"\xff\xda\0\x08\1\1\0\1\x3f\0" + bytes(side * side // (64 * 2**14) + 10)
    return (
        b"\xff\xd8"
        + tables
        + frame
        + codes
        + b"\xff\xda\0\x08\1\1\0\0\0\0"
        + bytes(side // 8)
        + scan * scans
        + b"\xff\xd9"
    )


def _bomb(rng: random.Random, data: bytes, extension: str, home: Path) -> tuple:
    file = rng.choice(sorted(f for f in (home / "bombs").iterdir() if f.suffix != ".gz"))
    meant = "picture" if file.name == "scans.jpg" else "refused"
    return f"bomb: {file.name}", file.read_bytes(), file.suffix[1:], meant


# Other formats, other names, no files


def _foreign(rng: random.Random, data: bytes, extension: str, home: Path) -> tuple:
    name = rng.choice(sorted(FOREIGN))
    extension = rng.choice([extension, "jpg", "png", "", name.lower(), "tif"])
    return f"foreign: {name}", FOREIGN[name](), extension, "refused"


def _wrong_name(rng: random.Random, data: bytes, extension: str, home: Path) -> tuple:
    others = [e for e in PICTURES if e not in (extension, "dib", "pgm")]
    if extension in ("dib", "pgm"):  # a bitmap without its file header, and another control
        return "as it should be", data, extension, "equal"
    pictures = {"png": data} if extension == "png" else {extension: data}
    other = rng.choice(others)
    return "a format under the name of another", pictures[extension], other, "picture"


def _no_file(rng: random.Random, data: bytes, extension: str, home: Path) -> tuple:
    outside = home / "pictures" / f"one.{extension}"

    def folder(file: Path) -> None:
        file.mkdir()

    def unreadable(file: Path) -> None:
        file.write_bytes(data)
        file.chmod(0)

    def huge(file: Path) -> None:
        with open(file, "wb") as opened:
            opened.write(data[:20])
            opened.truncate(2**36)

    ways: dict[str, tuple[Any, str]] = {
        "pipe": (os.mkfifo, "refused"),
        "folder": (folder, "refused"),
        "dead link": (lambda f: f.symlink_to("nowhere"), "refused"),
        "link to itself": (lambda f: f.symlink_to(f.name), "refused"),
        "link to zeros": (lambda f: f.symlink_to("/dev/zero"), "refused"),
        "link to a terminal": (lambda f: f.symlink_to("/dev/tty"), "refused"),
        "link to a picture": (lambda f: f.symlink_to(outside), "equal"),
        "link to the folder above": (lambda f: f.symlink_to(".."), "refused"),
        "not readable": (unreadable, "picture"),
        "64 GB": (huge, "refused"),
        "empty": (lambda f: f.touch(), "refused"),
    }
    way = rng.choice(sorted(ways))
    return f"no file: {way}", ways[way][0], extension, ways[way][1]
