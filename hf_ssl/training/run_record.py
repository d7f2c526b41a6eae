"""The record of a run: what was done and what came of it. The card and `results.json` say what stands here."""

import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..data import ImageDataset, ImageStream
from ..evaluation import EvaluationReport
from ..hub.run_results import RESULTS, not_written, read_results
from ..registry import method_of
from ..utils.files import write_json
from ..utils.machine import hardware, version
from .arguments import SSLTrainingArguments


@dataclass
class RunRecord:
    """
    Args:
        run (`dict`): facts of the training: method, seed, steps, resumed_from (the step that it was taken up from),
            epochs, batch_size (images of an optimizer step over all processes), processes, seconds,
            images_per_second, parameters (of the encoder), pixel_format, hardware, versions, training_arguments
            (those that are not the default), effective (see `effective_values`), doctor (what it found; None where it
            was off); and, where somebody has said it, command, recipe, dataset, dataset_description, split and
            base_model (what training started from).
        evaluation (`dict`, *optional*): `EvaluationReport.to_dict()`.
        log (`list[dict]`): what the Trainer logged, in its order.
        export (`dict`, *optional*): the SHA-256 of every exported file, by its path.
        embedding_check (`dict`, *optional*): the embedding of a test image, see `hf_ssl.hub.embedding_check`.
    """

    run: dict[str, Any]
    evaluation: dict[str, Any] | None = None
    log: list[dict[str, Any]] = field(default_factory=list)
    export: dict[str, str] | None = None
    embedding_check: dict[str, Any] | None = None

    @classmethod
    def from_trainer(
        cls,
        trainer,
        evaluation: EvaluationReport | Mapping[str, Any] | None = None,
        *,
        seconds: float | None = None,
        resumed_from: int | None = None,
    ) -> "RunRecord":
        """
        Args:
            trainer (`SSLTrainer`): as it stands; what it cannot know of itself is in its `about`.
            evaluation ([`EvaluationReport`] or `dict`, *optional*): how good the encoder is.
            seconds (`float`, *optional*), resumed_from (`int`, *optional*): of the training, and the step that it was
                taken up from; by default those of the last call of `train`.
        """
        args, state, about = trainer.args, trainer.state, dict(trainer.about)
        model = trainer.accelerator.unwrap_model(trainer.model)
        if seconds is None:
            seconds, resumed_from = trainer.last_training()
        made = state.global_step - (resumed_from or 0)
        run = {
            "command": about.pop("command", None),
            "method": method_of(model.config).name,
            **about,
            "pixel_format": _pixel_format(trainer),
            "effective": trainer.effective(),
            "parameters": model.backbone.num_parameters(),
            "seed": args.seed,
            "steps": state.global_step,
            "resumed_from": resumed_from,
            "epochs": state.epoch,
            "batch_size": args.global_batch_size,
            "processes": args.world_size,
            "seconds": None if seconds is None else round(seconds, 1),
            "images_per_second": round(made * args.global_batch_size / seconds, 1) if seconds else None,
            "hardware": hardware(),
            "versions": {name: version(name) for name in ("hf_ssl", "torch", "transformers")}
            | {"python": platform.python_version()},
            "training_arguments": changed_arguments(args),
            "doctor": list(trainer.doctor.findings.values()) if trainer.doctor else None,
        }
        if run["command"] is None:
            del run["command"]
        # Without the Trainer's own summary, which is of the last start and not of the run.
        log = [_finite(entry) for entry in state.log_history if "train_runtime" not in entry]
        report = evaluation.to_dict() if isinstance(evaluation, EvaluationReport) else evaluation
        return cls(run, None if report is None else dict(report), log)

    @classmethod
    def read(cls, folder: str | Path) -> "RunRecord | None":
        """
        What `results.json` of a run holds; `None` without one.

        Raises:
            ValueError: when it is not what a run writes.
        """
        path = Path(folder, RESULTS)
        results = read_results(path)
        if results is None:
            return None
        if "steps" not in results.get("run", {}):
            raise not_written(path, "run.steps is missing")
        return cls(**{known.name: results[known.name] for known in fields(cls) if known.name in results})

    def write(self, folder: str | Path) -> None:
        """Write `results.json`, whole; the folder is made where it has vanished."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        values = asdict(self)
        optional = ("export", "embedding_check")  # not there before they are made
        write_json(Path(folder, RESULTS), {k: v for k, v in values.items() if not (k in optional and v is None)})


def changed_arguments(args: SSLTrainingArguments) -> dict[str, Any]:
    """The training arguments that differ from the defaults, without paths."""
    # Of accelerate's state that there is: a new one would end that of the training.
    state = {"use_configured_state": True, "non_blocking": True}
    default = SSLTrainingArguments(output_dir=args.output_dir, accelerator_config=state).to_dict()
    return {
        k: v
        for k, v in args.to_dict().items()
        if v != default[k] and "dir" not in k and "token" not in k and k != "derived"
    }


def _pixel_format(trainer) -> dict[str, Any] | None:
    dataset = trainer.train_dataset
    return dataset.pixel_format.to_dict() if isinstance(dataset, (ImageDataset, ImageStream)) else None


def _finite(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Without what JSON has no number for, such as the norm of gradients that overflowed."""
    return {k: v for k, v in entry.items() if not (isinstance(v, float) and not math.isfinite(v))}
