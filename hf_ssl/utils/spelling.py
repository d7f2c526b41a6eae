"""The name that somebody may have meant."""

import difflib
from collections.abc import Iterable


def closest(name: str, known: Iterable[str]) -> str:
    """`" Did you mean 'x'?"` for the name in `known` nearest to `name`, or an empty string when none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def find_slip(names: Iterable[str], known: Iterable[str]) -> tuple[str, str] | None:
    """
    A name that is not known, and the known one that is missing and differs in one letter or in capitals only.

    A letter may be missing, too many, another one, or exchanged with the next one.
    """
    names, known = ({name.removeprefix("_") for name in each} for each in (names, known))
    absent = sorted(name for name in known - names if len(name) > 3)
    slips = ((name, meant) for name in sorted(names - known) for meant in absent if _is_slip(name, meant))
    return next(slips, None)


def _is_slip(a: str, b: str) -> bool:
    a, b = a.lower(), b.lower()
    if abs(len(a) - len(b)) > 1:
        return False
    i = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    exchanged = a[i : i + 2] == b[i : i + 2][::-1] and a[i + 2 :] == b[i + 2 :]
    return exchanged or a[i + 1 :] in (b[i:], b[i + 1 :]) or a[i:] == b[i + 1 :]
