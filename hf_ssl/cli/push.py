"""`hf-ssl push`: from a folder to the Hub."""

import os
import shlex
from pathlib import Path

from ..hub import push_folder
from ..hub.hub_errors import HubRefusal
from ..utils.files import LOCK, FolderLock
from ..utils.printing import say


def run(
    folder: Path,
    repo_id: str,
    private: bool | None,
    revision: str | None,
    tag: str | None,
    message: str | None,
    overwrite: bool,
    allow_links: bool,
    token: str | None,
) -> None:
    lock = FolderLock(folder) if os.access(folder / LOCK, os.W_OK) else None  # a run may be writing to it
    try:
        done = push_folder(
            folder,
            repo_id,
            private=private,
            revision=revision,
            tag=tag,
            token=token,
            commit_message=message,
            overwrite=overwrite,
            allow_links=allow_links,
        )
    except (HubRefusal, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk
            raise
        options = {"--revision": revision, "--tag": tag, "--message": message}
        words = [word for name, value in options.items() if value is not None for word in (name, value)]
        switches = {"--private": private, "--overwrite": overwrite, "--allow-links": allow_links}
        words += [name for name, value in switches.items() if value]
        again = shlex.join(["hf-ssl", "push", str(folder), repo_id, *words])
        raise (HubRefusal if isinstance(error, HubRefusal) else OSError)(f"{error} Then: {again}") from error
    finally:
        if lock is not None:
            lock.release()
    say(f"{'Published' if done.changed else 'Nothing changed:'} {done.commit}")
