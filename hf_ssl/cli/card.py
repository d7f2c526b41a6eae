"""`hf-ssl card`: write the card of a repository again, from what lies in it."""

from pathlib import Path

from ..hub.rewrite_card import write_card_again
from ..utils.files import locked
from ..utils.printing import say
from .paths import require_path


def run(folder: Path, license: str | None, repo_id: str | None, allow_links: bool = False) -> None:
    require_path(folder, "The repository")
    with locked(folder):
        write_card_again(folder, license, repo_id, allow_links)
    say(f"Wrote {folder / 'README.md'}.")
