"""The name that somebody may have meant."""

import difflib
from collections.abc import Iterable


def closest(name: str, known: Iterable[str]) -> str:
    """`" Did you mean 'x'?"` for the name in `known` nearest to `name`, or an empty string when none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
