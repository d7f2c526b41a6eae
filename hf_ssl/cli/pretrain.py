"""`hf-ssl pretrain`: from a request to a trained, evaluated and exported encoder."""

import json
import math
import platform
import shlex
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transformers import AutoImageProcessor, AutoModel
from transformers.utils import CONFIG_NAME

from ..data import Data, load_data
from ..data.splits import few_indices
from ..evaluation import EvaluationReport, evaluate_encoder, load_encoder
from ..files import write_json, write_text
from ..hub import PRETRAINING, build_card, embedding_check, export_pretrained, push_folder
from ..printing import say
from ..registry import get_method
from ..training import SSLTrainer, SSLTrainingArguments
from .assemble import Assembly, assemble
from .env import hardware, version
from .messages import announcement, why_little
from .options import shown_command
from .paths import first_missing, remove_empty_parents
from .pictures import draw
from .run_folder import RunFolder, any_file

_PLAN = "plan.json"


@dataclass
class Request:
    """What the user asked for; `training` holds the explicit fields of `SSLTrainingArguments`."""

    method: str
    data: str
    backbone: str | None
    output_dir: Path
    recipe: str | None
    image_size: int | None
    minutes: float | None
    config: dict[str, str]
    processor: dict[str, str]
    image_column: str | None
    label_column: str | None
    label_level: int | None
    split: str | None
    test_split: str | None
    data_seed: int
    max_unreadable: float | None
    overwrite: bool
    evaluate: bool
    training: dict[str, Any]

    def split_asked(self) -> dict[str, Any]:
        """What the user said of which images are for training and for testing."""
        asked = {"label_level": self.label_level, "split": self.split, "test_split": self.test_split}
        return {name: value for name, value in asked.items() if value is not None}


def run(request: Request) -> None:
    get_method(request.method)  # a misspelt name must not even make a folder
    if request.training.get("push_to_hub"):
        if not request.training.get("hub_model_id"):
            raise ValueError("--push_to_hub needs --hub_model_id user/name.")
        request.training.setdefault("hub_strategy", "end")  # the finished repository, in one commit
    made = first_missing(request.output_dir)
    folder = RunFolder(request.output_dir, asdict(request), request.overwrite)
    try:
        pretrain(request, folder)
    except BaseException:
        if not any_file(folder.checkpoints) and not (request.output_dir / CONFIG_NAME).is_file():
            shutil.rmtree(request.output_dir if made else folder.checkpoints, ignore_errors=True)
            remove_empty_parents(request.output_dir, made)
        raise


def pretrain(request: Request, folder: RunFolder) -> None:
    began = time.perf_counter()
    method = get_method(request.method)
    output_dir = request.output_dir
    data = load_data(
        request.data,
        seed=request.data_seed,
        image_column=request.image_column,
        label_column=request.label_column,
        label_level=request.label_level,
        split=request.split,
        test_split=request.test_split,
        max_unreadable=request.max_unreadable,
        exclude=[output_dir],
    )
    last = folder.last_checkpoint
    plan = output_dir / _PLAN
    decided = read_decided(plan) if last else {}
    run = assemble(request, method, data, folder.checkpoints, decided, began)
    args, model, processor = run.args, run.model, run.processor
    trainer = SSLTrainer(model, args, processor, train_dataset=run.train, eval_dataset=data.test)
    effective = trainer.effective()
    if trainer.doctor is not None:
        trainer.doctor.warns = False  # raised below, as the last word
    if trainer.is_world_process_zero():
        longer = folder.begin(effective["steps"])
        write_json(plan, run.decided() | {"minutes": request.minutes})
        say(announcement(method, data, run, effective))
        if longer:
            say(longer)

    started = time.perf_counter()
    resumed_from = int(last.name.rpartition("-")[2]) if last else 0
    result = trainer.train(resume_from_checkpoint=str(last) if last else None)
    seconds = time.perf_counter() - started
    if trainer.doctor is not None and "nan" in trainer.doctor.findings:
        raise ValueError(trainer.doctor.findings["nan"])
    if not trainer.is_world_process_zero():
        return

    export_pretrained(model.eval(), processor, output_dir)
    # What a user will load.
    encoder, native = AutoModel.from_pretrained(output_dir), AutoImageProcessor.from_pretrained(output_dir)
    report = evaluate_labelled(encoder, native, run) if request.evaluate else None
    check = embedding_check(encoder, native)
    log = trainer.state.log_history
    figures = draw(output_dir / "figures", model, processor, data, log, report)
    batch = run.images_a_step
    summary = {
        "command": shown_command(sys.argv[1:]),
        "method": method.name,
        "dataset": data.name,
        "dataset_description": data.description,
        "split": data.split | request.split_asked(),
        "pixel_format": data.train.pixel_format.to_dict(),
        "base_model": run.base_model,
        "recipe": run.recipe_name,
        "effective": effective,
        "parameters": model.backbone.num_parameters(),
        "seed": args.seed,
        "steps": result.global_step,
        "resumed_from": resumed_from,
        "epochs": trainer.state.epoch,
        "batch_size": batch,
        "seconds": round(seconds, 1),
        "images_per_second": round((result.global_step - resumed_from) * batch / seconds, 1),
        "hardware": hardware(),
        "versions": {name: version(name) for name in ("hf_ssl", "torch", "transformers")}
        | {"python": platform.python_version()},
        "training_arguments": changed_arguments(args),
        "doctor": list(trainer.doctor.findings.values()) if trainer.doctor else None,
    }
    evaluation = report.to_dict() if report else None
    results = {"run": summary, "evaluation": evaluation, "embedding_check": check, "log": log}
    card = build_card(
        method,
        model,
        processor,
        results=evaluation,
        run=summary,
        figures=[f"figures/{f.name}" for f in figures],
        repo_id=trainer.hub_model_id,
        check=check,
    )
    write_text(output_dir / "README.md", card)
    write_json(output_dir / "results.json", results)  # last: with it the run counts as finished
    report_unreadable(data)
    if report:
        say(f"\n{report.table()}\n{report.verdict()}")
        if advice := why_little(run, report):
            say(advice)
    say(
        f"\nWrote {output_dir}: AutoModel.from_pretrained({str(output_dir)!r}) gives the encoder; the card is "
        f"README.md, the pictures are in figures/, the whole method is in {PRETRAINING}/."
    )
    if args.push_to_hub:
        publish(output_dir, trainer.hub_model_id, args)


def read_decided(plan: Path) -> dict[str, Any]:
    """What `Assembly.decided` gave when the run began."""
    try:
        decided = json.loads(plan.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        decided = None
    if not isinstance(decided, dict) or not {"recipe", "costs", "wanted_steps", "eval_strategy"} <= decided.keys():
        raise ValueError(
            f"{plan} is missing or damaged, and without it the run cannot go on as it began: choose another "
            "--output-dir, or start again with --overwrite."
        )
    return decided


def publish(output_dir: Path, repo_id: str, args: SSLTrainingArguments) -> None:
    try:
        done = push_folder(
            output_dir,
            repo_id,
            private=args.hub_private_repo,
            revision=args.hub_revision,
            token=args.hub_token,
            commit_message="Publish a finished run of hf-ssl pretrain",
        )
    except (ValueError, OSError) as error:
        again = shlex.join(["hf-ssl", "push", str(output_dir), repo_id])
        raise OSError(f"The run is finished, but not published: {error} Then: {again}") from error
    say(f"{'Published' if done.changed else 'Nothing changed:'} {done.commit}")


def evaluate_labelled(encoder, processor, run: Assembly) -> EvaluationReport | None:
    """
    Beside the encoder that training started from, where there is one, on as many images as there is time for. `None`
    without labels, or where it cannot be done: the run is finished, and the reason is only printed.
    """
    train, test = run.data.train, run.data.test
    if test is None or train.labels is None:
        return None
    share = run.evaluated_images / (len(train) + len(test))
    if share < 1:
        train, test = (
            part.subset(few_indices(len(part), part.labels, math.ceil(share * len(part)), 0)) for part in (train, test)
        )
    before = None
    try:
        before = load_encoder(run.base_model) if run.base_model else None
    except (ValueError, OSError) as error:
        say(f"Evaluated without {run.base_model}, from which training started: {error}", err=True)
    try:
        return evaluate_encoder(encoder, processor, train, test, before=before, seed=run.args.seed)
    except ValueError as error:
        say(f"Not evaluated: {error}", err=True)
        return None


def report_unreadable(data: Data) -> None:
    if report := data.report():
        say(report, err=True)


def changed_arguments(args: SSLTrainingArguments) -> dict[str, Any]:
    """The training arguments that differ from the defaults, without paths."""
    default = SSLTrainingArguments(output_dir=args.output_dir).to_dict()
    return {
        k: v
        for k, v in args.to_dict().items()
        if v != default[k] and "dir" not in k and "token" not in k and k != "derived"
    }
