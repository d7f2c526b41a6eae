"""JSON from anywhere, read within bounds: size, depth, and numbers that a machine can mean."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .regular_files import read_regular

_MAX_MEGABYTES = 8  # names of 100 000 classes are 3 MB
_MAX_LARGE_MEGABYTES = 256
_MAX_DEPTH = 32
_MAX_TEXT = 2**16  # characters of one text
_MAX_NUMBER = 1e12
_MAX_LIST, _MAX_TABLE = 10_000, 200_000  # entries


class NoObjectError(ValueError):
    """Of a file with JSON that is no object."""


def read_json(path: str | Path) -> dict[str, Any]:
    """
    The JSON object in a file.

    Raises:
        ValueError: for what is no file, no UTF-8, no JSON, no object, larger than 8 MB or nested deeper than 32
            levels, and for a key that is there twice, a number that is not finite or beyond 1e12, a text of more than
            65 536 characters, a list of more than 10 000 entries and a table of more than 200 000.
        OSError: where there is nothing, or nothing that may be read.
    """
    return _object_in(path, _MAX_MEGABYTES, require_bounded)


def read_large_json(path: str | Path) -> dict[str, Any]:
    """
    The JSON object in a file that grows with a run: up to 256 MB, with any numbers.

    Raises:
        ValueError: for what is no file, no UTF-8, no JSON, no object, larger, or nested deeper than 32 levels.
        OSError: where there is nothing, or nothing that may be read.
    """
    return _object_in(path, _MAX_LARGE_MEGABYTES, _require_shallow)


def _object_in(path: str | Path, megabytes: int, check: Callable[[Any], None]) -> dict[str, Any]:
    content = read_regular(path, megabytes)
    try:
        values = _parse(content.decode("utf-8"), check)
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no JSON: it is not in UTF-8.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no JSON ({error}).") from None
    except ValueError as error:
        raise ValueError(f"{path} {error}.") from None
    if not isinstance(values, dict):
        raise NoObjectError(f"{path} holds no JSON object, but a {type(values).__name__}.")
    return values


def parse_json(text: str) -> Any:
    """
    As `json.loads`, within the bounds of [`read_json`].

    Raises:
        json.JSONDecodeError: for what is no JSON.
        ValueError: for the rest; what it says follows the name of the source.
    """
    return _parse(text, require_bounded)


def _parse(text: str, check: Callable[[Any], None]) -> Any:
    try:
        values = json.loads(text, object_pairs_hook=_without_doubles, parse_int=_integer)
    except RecursionError:
        raise ValueError(f"is nested deeper than {_MAX_DEPTH} levels") from None
    check(values)
    return values


def _require_shallow(values: Any) -> None:
    level = [values]
    for _ in range(_MAX_DEPTH + 2):
        inner = [value for value in level if isinstance(value, list | Mapping)]
        level = [x for value in inner for x in (value.values() if isinstance(value, Mapping) else value)]
    if level:
        raise ValueError(f"is nested deeper than {_MAX_DEPTH} levels")


def require_bounded(values: Any) -> None:
    """A `ValueError`, which says what "is" or "holds" too much, for values beyond the bounds of [`read_json`]."""
    waiting = [(values, 0, "")]
    while waiting:
        value, depth, name = waiting.pop()
        if depth > _MAX_DEPTH:
            raise ValueError(f"is nested deeper than {_MAX_DEPTH} levels")
        place = f" as {name}" if name else ""
        if isinstance(value, str) and len(value) > _MAX_TEXT:
            raise ValueError(f"holds a text of {len(value)} characters{place}, more than {_MAX_TEXT}")
        if isinstance(value, int | float) and not abs(value) <= _MAX_NUMBER:  # nor NaN
            number = value if isinstance(value, float) or abs(value) < 2**64 else "a number of too many digits"
            raise ValueError(f"holds {number}{place}, which is no number that can be meant")
        if isinstance(value, list | tuple | Mapping):
            most = _MAX_TABLE if isinstance(value, Mapping) else _MAX_LIST
            if len(value) > most:
                raise ValueError(f"holds {len(value)} entries{place}, more than {most}")
        if isinstance(value, Mapping):
            waiting += [(part, depth + 1, str(key)[:100]) for key, part in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [(part, depth + 1, name) for part in value]


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        seen = set()
        double = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise ValueError(f"holds {double[:100]!r} twice")
    return values


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 20 else math.inf
