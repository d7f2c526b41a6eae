"""What comes after training: export, evaluation, pictures, card and push; one may fail without the others."""

import math
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from transformers import AutoModel, PreTrainedModel

from ..checks.checkpoints import without_load_report
from ..data import Data
from ..data.splits import few_indices
from ..evaluation import EvaluationReport, evaluate_encoder
from ..hub import embedding_check
from ..hub.figures.of_run import draw
from ..loading import load_encoder, load_method
from ..modeling_utils import SSLPreTrainedModel
from ..processing_utils import SSLProcessorMixin
from ..registry import get_method
from ..training.publication import export_run, publish_run, write_run_card
from ..training.run_record import RunRecord
from ..utils.printing import say
from .interruptions import during, same_command
from .mistakes import mistake, one_line
from .run_folder import RunFolder


@dataclass(frozen=True)
class Trained:
    """
    What is there when nothing but what comes after training is missing.

    Args:
        model (`SSLPreTrainedModel`): the trained `...ForPreTraining`.
        processor (`SSLProcessorMixin`): its image processor.
        images (callable): gives the `Data`; in a run that is taken up again they are read when they are needed.
    """

    model: SSLPreTrainedModel
    processor: SSLProcessorMixin
    images: Callable[[], Data]


def finish(
    folder: RunFolder, images: Callable[[], Data], token: str | None, trained: Trained | None = None
) -> EvaluationReport | None:
    """
    Do what is missing of a run that is trained.

    Args:
        folder ([`RunFolder`])
        images (callable): see [`Trained`].
        token (`str`, *optional*): for the Hub.
        trained ([`Trained`], *optional*): of a run that was trained just now; it is loaded by default.

    Returns:
        [`EvaluationReport`], *optional*: where there was an evaluation.

    Raises:
        OSError: when the run could not be exported.
    """
    if folder.missing in ([], ["pushed"]):
        return None
    if trained is None:
        with during("while the trained method was read"):
            _, model, processor = load_method(str(folder.method_source))
            trained = Trained(model.eval(), processor, cache(images))
    record, report = RunRecord.read(folder.folder), None
    if "exported" in folder.missing:
        with during("while the encoder was written"):
            export(folder, trained, record)
    native = cache(lambda: _as_a_user_loads(folder, trained.model.embedding_folder))
    if "evaluated" in folder.missing:
        with during("while the encoder was evaluated"), optional(folder, "evaluated", "evaluation"):
            report = evaluate_labelled(*native(), trained.images(), folder.state.decided, record.run)
            record.evaluation = report.to_dict() if report else None
            record.write(folder.folder)
            folder.did("evaluated")
    if "carded" in folder.missing:
        with during("while the pictures and the card were made"):
            write_card_and_pictures(folder, trained, record, native)
    if folder.has_lost_the_export():
        say("Files of the export were removed while the run was finished: they are written again.", err=True)
        with during("while the encoder was written"):
            export(folder, trained, record)
            write_card_and_pictures(folder, trained, record, native)
    if report:
        say(f"\n{report.table()}\n{report.verdict()}")
    return report


def _as_a_user_loads(folder: RunFolder, subfolder: str) -> tuple[PreTrainedModel, Callable]:
    auto = get_method(folder.state.asked["method"]).modality.load("auto_processor")
    with without_load_report():  # of a model with a classifier, the encoder alone
        return tuple(cls.from_pretrained(folder.folder, subfolder=subfolder) for cls in (AutoModel, auto))


@contextmanager
def optional(folder: RunFolder, what: str, name: str) -> Iterator[None]:
    """Have whatever goes wrong here noted and said in one sentence, and the run go on."""
    folder.state.missing.pop(what, None)
    try:
        yield
    except Exception as error:
        reason = reason_of(error)
        folder.lacks(what, reason)
        say(f"hf-ssl: The {name} is missing: {reason} The rest is done; to try again: {same_command()}", err=True)


def reason_of(error: Exception) -> str:
    """What went wrong, as a sentence."""
    text = mistake(error) or f"{type(error).__name__}: {one_line(str(error))}"
    return text if text.endswith((".", "!", "?")) else f"{text}."


def export(folder: RunFolder, trained: Trained, record: RunRecord) -> None:
    try:
        export_run(folder.folder, trained.model, trained.processor, record)
        folder.did("exported", record.export)
    except Exception as error:
        raise OSError(
            f"The run is trained, but not exported: {reason_of(error)} To do that without training again: "
            f"{same_command()}"
        ) from error


def evaluate_labelled(
    encoder, processor, data: Data, decided: dict[str, Any], run: dict[str, Any]
) -> EvaluationReport | None:
    """
    Beside the encoder that training started from, where there is one, on as many images as there is time for. `None`
    without labels.
    """
    train, test = data.train, data.test
    if test is None or train.labels is None:
        return None
    share = decided.get("evaluated_images", 0) / (len(train) + len(test))
    if 0 < share < 1:
        train, test = (
            part.subset(few_indices(len(part), part.labels, math.ceil(share * len(part)), 0)) for part in (train, test)
        )
    before, base_model = None, run["base_model"]
    try:
        before = load_encoder(base_model) if base_model else None
    except (ValueError, OSError) as error:
        say(f"Evaluated without {base_model}, from which training started: {error}", err=True)
    return evaluate_encoder(encoder, processor, train, test, before=before, seed=run["seed"])


def write_card_and_pictures(
    folder: RunFolder, trained: Trained, record: RunRecord, native: Callable[[], tuple]
) -> None:
    figures, repo_id = [], _repo_id(folder)
    with optional(folder, "embedding_check", "check of the embedding"):
        record.embedding_check = embedding_check(*native())
    with optional(folder, "pictures", "set of pictures"):
        report = EvaluationReport.from_dict(record.evaluation) if record.evaluation else None
        place = folder.folder / "figures"
        figures = draw(place, trained.model, trained.processor, trained.images(), record.log, report)
    with optional(folder, "carded", "card"):
        write_run_card(
            folder.folder,
            trained.model,
            trained.processor,
            record,
            repo_id=repo_id,
            figures=[f"figures/{figure.name}" for figure in figures],
            check=record.embedding_check,
        )
        folder.did("carded", {"repo_id": repo_id})


def _repo_id(folder: RunFolder) -> str | None:
    """Where the run is to be published, as far as that was asked for."""
    training = folder.state.asked["training"]
    if not training.get("push_to_hub"):
        return None
    asked, full = training["hub_model_id"], folder.state.done["trained"].get("repo_id") or ""
    return full if full.rpartition("/")[2] == asked else asked  # a name without an owner is of whoever pushes


def publish(folder: RunFolder, token: str | None) -> None:
    """
    Raises:
        OSError: when it fails, with the command to try again.
    """
    training, repo_id = folder.state.asked["training"], _repo_id(folder)
    revision = training.get("hub_revision")
    try:
        done = publish_run(
            folder.folder,
            repo_id,
            carded_for=folder.state.done.get("carded", {}).get("repo_id"),  # published only now, or elsewhere
            private=training.get("hub_private_repo"),
            revision=revision,
            token=token,
            commit_message="Publish a finished run of hf-ssl pretrain",
        )
    except Exception as error:
        folder.lacks("pushed", reason_of(error))
        options = [] if revision is None else ["--revision", revision]
        options += ["--private"] if training.get("hub_private_repo") else []
        again = shlex.join(["hf-ssl", "push", str(folder.folder), repo_id, *options])
        raise OSError(f"The run is finished, but not published: {reason_of(error)} Then: {again}") from error
    folder.did("carded", {"repo_id": repo_id})
    to = {"repo_id": training["hub_model_id"], "revision": revision}
    folder.did("pushed", to | {"commit": done.commit.oid})
    say(f"{'Published' if done.changed else 'Nothing changed:'} {done.commit}")
