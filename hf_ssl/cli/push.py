"""`hf-ssl push`: from a folder to the Hub."""

from pathlib import Path

from ..hub import push_folder
from ..printing import say


def run(
    folder: Path,
    repo_id: str,
    private: bool | None,
    revision: str | None,
    tag: str | None,
    message: str | None,
    overwrite: bool,
    token: str | None,
) -> None:
    done = push_folder(
        folder,
        repo_id,
        private=private,
        revision=revision,
        tag=tag,
        token=token,
        commit_message=message,
        overwrite=overwrite,
    )
    say(f"{'Published' if done.changed else 'Nothing changed:'} {done.commit}")
