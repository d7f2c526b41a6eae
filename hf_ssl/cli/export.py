"""`hf-ssl export`: from a checkpoint to a repository."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..hub import build_card, export_pretrained
from ..hub.export import folders_in, is_unfinished, sweep_exports
from ..hub.published_files import is_written_by_us
from ..loading import load_method
from ..utils.files import LOCK, locked
from ..utils.printing import say


@contextmanager
def empty_folder(output_dir: Path) -> Iterator[None]:
    """
    Have a new folder for this process alone, or an empty one, or one in which an export was killed.

    Raises:
        ValueError: when something else stands at `output_dir` already, or another process writes there.
    """
    found = {path.name for path in output_dir.iterdir()} - {LOCK} if output_dir.is_dir() else set()
    if any(is_unfinished(name) for name in found):  # then some of it may be in its place already
        own = folders_in(output_dir)
        found = {name for name in found if not (is_unfinished(name) or name in own or is_written_by_us(name))}
    if found or (output_dir.exists() and not output_dir.is_dir()):
        raise ValueError(f"{output_dir} is not an empty folder: choose another place for the repository.")
    with locked(output_dir):
        sweep_exports(output_dir)
        yield


def run(checkpoint: str, output_dir: Path) -> None:
    with empty_folder(output_dir):
        method, model, processor = load_method(checkpoint)
        card = build_card(method, model, processor, results=None, run=None, figures=[])
        export_pretrained(model, processor, output_dir, card)
    say(f"Wrote {output_dir}: AutoModel.from_pretrained({str(output_dir)!r}) gives the encoder.")
