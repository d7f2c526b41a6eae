"""From a trained model and the record of its run to a published repository: the command line and the Trainer alike."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..hub import (
    Publication,
    embedding_check,
    export_pretrained,
    push_folder,
    write_card,
)
from ..hub.published_files import CARD, exported_hashes
from ..hub.rewrite_card import write_card_again
from ..modeling_utils import SSLPreTrainedModel
from ..processing_utils import SSLProcessorMixin
from ..utils.files import write_text
from .run_record import RunRecord


def export_run(folder: Path, model: SSLPreTrainedModel, processor: SSLProcessorMixin, record: RunRecord) -> None:
    """Write encoder, method and `results.json`, which ties them together by their hashes."""
    vars(model.config).pop("use_cache", None)  # the Trainer sets it, and a checkpoint loses it
    export_pretrained(model, processor, folder)
    record.export = exported_hashes(folder)
    record.write(folder)


def write_run_card(
    folder: Path,
    model: SSLPreTrainedModel,
    processor: SSLProcessorMixin,
    record: RunRecord,
    *,
    repo_id: str | None = None,
    figures: Sequence[str] = (),
    check: Mapping[str, Any] | None = None,
    existing: str | None = None,
    license: str | None = None,
    tags: Sequence[str] | None = None,
) -> None:
    """
    Write the card of a run, and its record with the check of the embedding that stands in the card.

    Args:
        folder (`Path`): of the repository.
        check (`dict`, *optional*): made by default, see `hf_ssl.hub.embedding_check`.
        repo_id, figures, existing, license, tags: see `write_card`.
    """
    check = check or embedding_check(model.native_encoder(), processor.native())
    card = write_card(
        model,
        processor,
        results=record.evaluation,
        run=record.run,
        figures=figures,
        check=check,
        repo_id=repo_id,
        existing=existing,
        license=license,
        tags=tags,
    )
    write_text(folder / CARD, card)
    record.embedding_check = check
    record.write(folder)


def publish_run(folder: Path, repo_id: str, *, carded_for: str | None, **push: Any) -> Publication:
    """
    Push what `export_run` and `write_run_card` wrote.

    Args:
        folder (`Path`): of the repository.
        repo_id (`str`): where it goes.
        carded_for (`str`, *optional*): the repository that the card was written for; where it is another, the card is
            written again first.
        push: further arguments of `push_folder`.

    Raises:
        ValueError, OSError: see `push_folder`.
    """
    if carded_for != repo_id:
        write_card_again(folder, repo_id=repo_id)
    return push_folder(folder, repo_id, **push)
