"""Where the links and pictures of a card lead: every form of Markdown and HTML, however it is spelt."""

import html
import re
from collections.abc import Iterator

_CITATION = re.compile(r"\]\(https://arxiv\.org/abs/[\w./-]+\)")  # what the sections of a run cite
_ENTITY = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|\w+);?")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_STRUCTURE = set("<>[]()`!\"'")  # what an escape or an entity takes the meaning of
_ADDRESS = r"([^\s()\[\]>\"',]{1,300})"
_TARGETS = (
    re.compile(rf"\]\s*\(\s*<?\s*{_ADDRESS}"),  # [text](target), ![text](<target>)
    re.compile(rf"\]\s*:\s*<?\s*(?!\w+:\s){_ADDRESS}"),  # [name]: target
    re.compile(r"<\s*([a-z][a-z0-9+.-]*:[^\s>]{0,300})", re.I),  # <target>
)
_TAG = re.compile(r"<[a-z/][^<]*", re.I)  # up to the next one, for quotes in it need not pair up
_ATTRIBUTE = re.compile(rf"(?:(?<!style)\s?=|,|\burl\()\s*[\"']?\s*{_ADDRESS}", re.I)
_LEADS_OUT = re.compile(r"[a-z][a-z0-9+.-]*:|[/\\]|.*(?:\.|%2e){2}(?:[/\\]|$)", re.I)
_BARE = re.compile(r"\b(?:[a-z][a-z0-9+.-]{1,20}://|www\.)[^\s<>\"')\]]{0,200}", re.I)  # a link as it stands
_RUNS = re.compile(r"(?:javascript|vbscript|data:text/html|data:[^,;]*(?:xml|svg|html))", re.I)
_HOST = re.compile(r"[/\\]{2}|[a-z][a-z0-9+.-]*:", re.I)


def without_code(text: str) -> str:
    """The lines outside of blocks of code; one that is never closed is none."""
    kept, inside, fence = [], [], ""
    for line in text.splitlines():
        mark = re.match(r" {0,3}(`{3,})([^`]*)$", line)
        if fence:
            inside.append(line)
            if mark and not mark[2].strip() and len(mark[1]) >= len(fence):
                inside, fence = [], ""
        elif mark:
            inside, fence = [line], mark[1]
        else:
            kept.append(line)
    return "\n".join(kept + inside)


def links(text: str) -> tuple[list[str], list[str], list[str]]:
    """
    Where a text leads out of its repository.

    Returns:
        `(list[str], list[str], list[str])`: addresses that run code where they are opened, paths outside of the
        repository, and addresses of other places.
    """
    running, outside, elsewhere = [], [], []
    for target in _targets(text):
        if _RUNS.match(re.sub(r"\s", "", target)):
            running.append(target)
        else:
            (elsewhere if _HOST.match(target) else outside).append(target)
    bare = [found[0] for found in _BARE.finditer(_CITATION.sub("]", text))]
    return running, outside, elsewhere + bare


def _targets(text: str) -> Iterator[str]:
    """As a browser reads them: character references resolved, escapes taken back, line breaks left out."""
    text = _ENTITY.sub(lambda found: _inert(html.unescape(found[0])), _CITATION.sub("]", text))
    text = _ESCAPE.sub(lambda found: _inert(found[1]), text)
    text = re.sub(r"[\x00-\x08\t\r\n\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+", "", text)
    found = [found[1] for pattern in _TARGETS for found in pattern.finditer(text)]
    found += [inner[1] for tag in _TAG.finditer(text) for inner in _ATTRIBUTE.finditer(tag[0])]
    return filter(_LEADS_OUT.match, found)


def _inert(character: str) -> str:
    return " " if character in _STRUCTURE else character
