"""Damage to bytes and to JSON, drawn from a generator."""

import json
import math
import random
from collections.abc import Callable
from typing import Any

# Bytes


def flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 4, 16])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.choice([0, 1, 7, 8, 9, len(data) // 2, len(data) - 1, rng.randrange(len(data))])]


def insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + rng.randbytes(rng.choice([1, 2, 4, 100])) + data[at:]


def remove(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice([1, 2, 4, 100]) :]


def repeat(data: bytes, rng: random.Random) -> bytes:
    at, length = rng.randrange(len(data)), rng.choice([1, 8, 64])
    return data[:at] + data[at : at + length] * rng.choice([2, 50]) + data[at + length :]


def zero(data: bytes, rng: random.Random) -> bytes:
    at, length = rng.randrange(len(data)), rng.choice([1, 8, 64, len(data)])
    return data[:at] + bytes(min(length, len(data) - at)) + data[at + length :]


def swap(data: bytes, rng: random.Random) -> bytes:
    first, second = sorted(rng.sample(range(len(data)), 2))
    length = min(16, second - first)
    a, b = data[first : first + length], data[second : second + length]
    return data[:first] + b + data[first + length : second] + a + data[second + length :]


def extreme(data: bytes, rng: random.Random) -> bytes:
    """Two, four or eight bytes as a field of a length might stand there: none, or all that fits."""
    at, width = rng.randrange(len(data)), rng.choice([2, 4, 8])
    value = rng.choice(
        [bytes(width), b"\xff" * width, b"\x7f" + b"\xff" * (width - 1), b"\xff" * (width - 1) + b"\x7f"]
    )
    return data[:at] + value + data[at + width :]


def append(data: bytes, rng: random.Random) -> bytes:
    return data + rng.randbytes(rng.choice([1, 8, 1000]))


BYTES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "bits flipped": flip,
    "cut": cut,
    "bytes inserted": insert,
    "bytes removed": remove,
    "bytes repeated": repeat,
    "zeroed": zero,
    "parts swapped": swap,
    "lengths to 0 or all": extreme,
    "bytes appended": append,
}

# Values of JSON


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


_ANY = (None, "", "x", "12", [], {}, [[1]], {"a": 1}, math.nan, math.inf, -math.inf, "\u202ex\0", -1, 10**30)
_WHOLE = (*_ANY, True, False, 0, -7, 1.5, 1e308, 2**31, 2**63, 2**40 + 1)
_REAL = (*_ANY, -0.5, [0.1], 10**400)
_YES_NO = ("yes", 2, 1.5, [], [True], {}, math.nan, "\0", -1)
_TEXT = (5, True, [], {}, "no such thing", "../x", "\u202e\0", math.nan, "x" * 100_000, "__import__('os')")
_LISTS = (5, "x", {}, math.nan, True, -1, 10**9)
_RECORDS = (5, "x", [], math.nan, True, {}, {"model_type": 5}, {"": {}})


def wrong_value(old: Any, rng: random.Random) -> Any:
    """What cannot be meant where `old` stood."""
    if isinstance(old, bool):
        return rng.choice(_YES_NO)
    if isinstance(old, int):
        return rng.choice(_WHOLE)
    if isinstance(old, float):
        return rng.choice(_REAL)
    if isinstance(old, str):
        return rng.choice(_TEXT)
    if isinstance(old, list):
        if old and rng.random() < 0.7:
            at = rng.randrange(len(old))
            return [*old[:at], wrong_value(old[at], rng), *old[at + 1 :]]
        return rng.choice(_LISTS)
    if isinstance(old, dict):
        if old and rng.random() < 0.7:
            name = rng.choice(sorted(old))
            return old | {name: wrong_value(old[name], rng)}
        sides = old.keys() == {"height", "width"}  # for which transformers takes one number, and means a square
        return rng.choice([value for value in _RECORDS if not (sides and value == 5)])
    return rng.choice(_ANY[1:])


def same(a: Any, b: Any) -> bool:
    """Whether two values of JSON mean the same: 1 is 1.0, and NaN is NaN."""
    return json.dumps(_plain(a), sort_keys=True) == json.dumps(_plain(b), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def misspelt(name: str, rng: random.Random) -> str:
    at = rng.randrange(len(name))
    return rng.choice([name[:at] + name[at + 1 :], name[:at] + name[at] + name[at:], name.upper(), name + "s"])


# The text of a JSON file


def broken_text(text: str, rng: random.Random) -> tuple[str, bytes]:
    """What was done, and the bytes of a file that is no object of JSON any more, or not plainly."""
    first = text.index("{") + 1
    forms = {
        "empty": b"",
        "cut": text[: rng.randrange(1, len(text) - 1)].encode(),
        "another type": rng.choice([b"null", b"[]", b"5", b'"x"', b"NaN", b"[{}]", b"true"]),
        "nested": b"[" * 100_000,
        "nested inside": (text[:first] + '"x": ' + "[" * 50_000 + "]" * 50_000 + ", " + text[first:]).encode(),
        "UTF-16": text.encode("utf-16"),
        "no UTF-8": text[:first].encode() + b'"\xff\xfe": 1, ' + text[first:].encode(),
        "a second object": (text + text).encode(),
        "comma at the end": text.rstrip().removesuffix("}").encode() + b",}",
        "Python": text.replace('"', "'").encode(),
        "zeros": bytes(len(text)),
        "digits": (text[:first] + '"x": ' + "9" * 100_000 + ", " + text[first:]).encode(),
        "surrogate": (text[:first] + '"\\ud800": 1, ' + text[first:]).encode(),
    }
    name = rng.choice(sorted(forms))
    return name, forms[name]
