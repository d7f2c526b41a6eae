"""What a case is, and the verdict on it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .damage import same

FOREIGN = "transformers alone"
RIGHT = ("refused", "equal", "named", "another picture")


@dataclass
class Case:
    """
    One try.

    Args:
        mutator (`str`): what was done to the material.
        door (`str`): what opens it.
        open (`Callable`): opens it and says what came in; see `doors`.
        judge (`Callable`): from what came in to the verdict: one of `RIGHT`, or why this is a silent acceptance.
        valid (`bool`): nothing was damaged, so that it must be accepted.
        detail (`str`): what exactly was done, for who repeats it.
    """

    mutator: str
    door: str
    open: Callable[[], dict]
    judge: Callable[[dict], str]
    valid: bool = False
    detail: str = ""


def equal_to(expected: Any) -> Callable[[dict], str]:
    """Right is what means the same as before the damage."""

    def judge(found: dict) -> str:
        if same(found, expected):
            return "equal"
        names = [name for name in {*found, *expected} if not same(found.get(name), expected.get(name))]
        differ = [f"{name}: {str(found.get(name))[:200]}" for name in sorted(names)]
        return f"accepted with another {'; '.join(differ)}"

    return judge


def never(found: dict) -> str:
    """Nothing of this may be accepted."""
    return "accepted"


def marks(folder: Path) -> list[str]:
    """What hostile material has brought about: a program that it started, code that ran, an address that was asked."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
