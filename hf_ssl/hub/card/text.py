"""Text from outside, made harmless: names of data sets and classes, results, command lines may hold anything."""

import html
import re
from math import isfinite
from pathlib import Path
from typing import Any

from ...utils.printing import printable
from ...utils.redaction import redacted

_TAG = re.compile(r"<(?=[A-Za-z/!?])")


def plain(text: Any) -> str:
    """One line of Markdown that shows `text` and does nothing else: no tags, links, code or cells of a table."""
    shown = re.sub(r"([\\`*\[\]|])", r"\\\1", html.escape(_one_line(text), quote=False))
    return re.sub(r"(?i)(?<=\w):(?=//)|(?<=\bwww)\.", lambda found: f"&#{ord(found[0])};", shown)  # else a link


def label(text: Any) -> str:
    """One line for the front matter, where nothing can be escaped: without tags, at most 200 characters."""
    return _one_line(text).replace("<", "‹").replace(">", "›")[:200]


def fenced(code: str, language: str) -> str:
    """A block of code that nothing inside of it can end. A tag would be one for some readers: it is spelt out."""
    code = "\n".join(map(printable, redacted(code).splitlines()))
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", code))])
    return f"{fence}{language}\n{_TAG.sub('&lt;', code)}\n{fence}"


def hub_id(name: str | None) -> str | None:
    """`owner/name`, without a configuration behind a colon, where `name` is that and no folder here."""
    name = str(name or "").split(":")[0]
    return name if re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name) and not Path(name).exists() else None


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _one_line(text: Any) -> str:
    return redacted(printable(" ".join(str(text).split())))
