"""Paths that the user names."""

import re
from pathlib import Path

from ..utils.spelling import closest

# A path for sure: absolute, or from here, or from home, or deeper than the ids on the Hub, or the name of a file.
_PATH = re.compile(
    r"[./~\\].*|\w:\\.*|[^/]+/[^/]+/.*|.*\s.*|.*\.(safetensors|pth|pt|bin|tar|json|zip|parquet|jpg|png)", re.S
)
_OF_A_MODEL = ("config.json", "pretraining/config.json", "adapter_config.json")
_PATTERN = re.compile(r"[*?\[{]|://")


def first_missing(path: Path) -> Path | None:
    """The first part of a path that is not there; `None` when all of it is."""
    return next((part for part in (*reversed(path.parents), path) if not part.exists()), None)


def require_found(name: str, what: str) -> None:
    """
    A `ValueError` when `name` can only be a path, and nothing lies there.

    `photos` and `user/photos` may be ids on the Hub, and pass.
    """
    if _PATH.fullmatch(name) and not _PATTERN.search(name):
        require_path(Path(name), what)


def require_path(path: Path, what: str) -> None:
    """A `ValueError` when there is nothing at `path`; it names the first part that is missing."""
    missing = first_missing(path)
    if missing is None:
        return
    meant = (
        closest(missing.name, [other.name for other in missing.parent.iterdir()]) if missing.parent.is_dir() else ""
    )
    raise ValueError(f"{what}: there is no file or folder {str(missing)!r}.{meant or ' Check the path.'}")


def require_repository(name: str, what: str, revision: str | None = None, subfolder: str = "") -> None:
    """A `ValueError` when `name` is neither a folder with a model in it nor the id of one on the Hub."""
    require_found(name, what)
    folder = Path(name)
    if folder.is_file():
        raise ValueError(f"{what}: {name} is a file, so name the folder that it lies in.")
    if folder.exists():
        if not any((folder / subfolder / part).is_file() for part in _OF_A_MODEL):
            raise ValueError(f"{what}: {folder / subfolder} holds no config.json, so name the folder of a model.")
        return
    from transformers.utils import CONFIG_NAME, cached_file

    try:
        cached_file(name, CONFIG_NAME, revision=revision, subfolder=subfolder)
    except OSError as error:
        reason = "cannot be reached" if "connect" in str(error) else "has none of this name that you may read"
        raise ValueError(
            f"{what}: there is no folder {name!r}, and the Hub {reason}. Check the spelling, the network, and "
            "`hf auth login`."
        ) from None


def require_backbone(name: str) -> None:
    """A `ValueError` when `--backbone` is no name of an encoder, no folder, and no id on the Hub."""
    require_found(name, "--backbone")
    from ..backbones import backbone_config

    if backbone_config(name, image_size=224) is None:
        require_repository(name, "--backbone")
