"""Files of a repository: one state of it, and nothing that lies outside."""

from pathlib import Path
from typing import Any

from huggingface_hub import is_offline_mode
from transformers.utils import cached_file
from transformers.utils.hub import resolve_revision

from ..utils.network import bounded_waiting

Where = dict[str, Any]
# Arguments of `from_pretrained` that say which files of a repository are meant, and how they are fetched.
WHERE = ("cache_dir", "force_download", "local_files_only", "revision", "subfolder", "token")


def pinned(repository: str | Path, arguments: dict[str, Any]) -> Where:
    """
    Of arguments of `from_pretrained`, those that say where; `revision` is settled to the commit that it names now.

    What is checked and what is loaded then come from one commit, also when the branch moves in between.
    """
    where = {name: arguments[name] for name in WHERE if arguments.get(name) is not None}
    if not Path(repository).exists():
        quick = {name: where[name] for name in ("token", "local_files_only", "cache_dir") if name in where}
        with bounded_waiting():
            revision = resolve_revision(str(repository), where.get("revision"), **quick)
        where |= {} if revision is None else {"revision": revision}
    return where


def find_file(repository: str | Path, name: str, where: Where, required: bool = False) -> Path | None:
    """
    Where a file of a repository lies on this machine; `None` where there is none.

    Raises:
        ValueError: for a link that leads out of the folder.
        OSError: where there is no such repository, the Hub cannot be reached, or a `required` file is missing.
    """
    folder = Path(repository)
    if folder.is_dir():
        path = folder / (where.get("subfolder") or "") / name
        if not path.exists() and not path.is_symlink() and not required:
            return None
        if not path.is_file():
            raise OSError(f"{path.parent} holds no file {name}: it is no repository of a model.")
        _require_inside(folder, path)
        return path
    offline = is_offline_mode() or where.get("local_files_only", False)
    quiet = {
        "_raise_exceptions_for_missing_entries": False,
        "_raise_exceptions_for_connection_errors": not offline,
    }
    with bounded_waiting():
        found = cached_file(str(repository), name, **where, **({} if required else quiet))
    return None if found is None else Path(found)


def _require_inside(folder: Path, path: Path) -> None:
    """The cache of the Hub's client has all contents beside the folder of a snapshot, and links to them."""
    real, root = path.resolve(), folder.resolve()
    caches = [parent.parent / "blobs" for parent in root.parents if parent.name == "snapshots"]
    if not any(real.is_relative_to(place) for place in (root, *caches)):
        raise ValueError(f"{path} is a link to {real}, out of its folder: it is not read. Put a copy there.")
