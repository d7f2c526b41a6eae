"""`hf-ssl export`: from a checkpoint to a repository."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transformers import AutoModelForPreTraining
from transformers.utils import CONFIG_NAME, cached_file

from ..checks.checkpoints import listed, load_checked
from ..checks.configs import checked_config
from ..checks.processors import checked_image_processor
from ..checks.repository_files import pinned
from ..configuration_utils import SSLConfig
from ..hub import PRETRAINING, build_card, export_pretrained
from ..hub.export import is_unfinished, sweep_exports
from ..hub.published_files import is_written_by_us
from ..image_processing_utils import SSLImageProcessor
from ..modeling_utils import SSLPreTrainedModel
from ..registry import Method, method_of
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
        found = {name for name in found if not (is_unfinished(name) or name == PRETRAINING or is_written_by_us(name))}
    if found or (output_dir.exists() and not output_dir.is_dir()):
        raise ValueError(f"{output_dir} is not an empty folder: choose another place for the repository.")
    with locked(output_dir):
        sweep_exports(output_dir)
        yield


def load_method(checkpoint: str) -> tuple[Method, SSLPreTrainedModel, SSLImageProcessor]:
    """
    The method in a repository's `pretraining/`, or in a checkpoint of the Trainer, where it is at the root.

    Raises:
        ValueError: when there is a model or an image processor of another kind, or weights are missing, left over,
            damaged or pickled.
        OSError: when there is nothing.
    """
    subfolder = PRETRAINING if _has_method(checkpoint) else ""
    where = pinned(checkpoint, {"subfolder": subfolder})
    config = checked_config(checkpoint, where)
    if not isinstance(config, SSLConfig):
        raise ValueError(f"{checkpoint} holds a {config.model_type!r} model, no pretraining checkpoint of hf_ssl.")
    model, missing, left_over = load_checked(AutoModelForPreTraining, checkpoint, **where)
    if wrong := missing + left_over:
        raise ValueError(f"The weights of {checkpoint} are missing, or left over: {listed(wrong)}.")
    processor = checked_image_processor(checkpoint, where)
    if not isinstance(processor, SSLImageProcessor):
        raise ValueError(
            f"The image processor of {checkpoint} is a {type(processor).__name__}, which draws no views: put back the "
            f"one that was saved with the {method_of(config).info.title} model."
        )
    return method_of(config), model, processor


def _has_method(repository: str) -> bool:
    if Path(repository).is_dir():
        return Path(repository, PRETRAINING).is_dir()
    return bool(
        cached_file(repository, CONFIG_NAME, subfolder=PRETRAINING, _raise_exceptions_for_missing_entries=False)
    )


def run(checkpoint: str, output_dir: Path) -> None:
    with empty_folder(output_dir):
        method, model, processor = load_method(checkpoint)
        card = build_card(method, model, processor, results=None, run=None, figures=[])
        export_pretrained(model, processor, output_dir, card)
    say(f"Wrote {output_dir}: AutoModel.from_pretrained({str(output_dir)!r}) gives the encoder.")
