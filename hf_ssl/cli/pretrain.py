"""`hf-ssl pretrain`: from a request to a trained, evaluated and exported encoder."""

import json
import os
import platform
import shlex
import shutil
import sys
import time
from collections.abc import Sized
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer
from transformers import AutoImageProcessor, AutoModel
from transformers.trainer_utils import get_last_checkpoint
from transformers.utils import CONFIG_NAME

from ..data import Data, DecodedImages, ImageStream, load_data
from ..evaluation import EvaluationReport, evaluate_encoder
from ..hub import PRETRAINING, build_card, embedding_check, export_pretrained, push_folder
from ..registry import get_method
from ..training import SSLTrainer, SSLTrainingArguments
from .assemble import build_model, build_processor, build_training_arguments, choose_image_size, choose_recipe
from .env import hardware, version
from .files import write_json, write_text
from .options import shown_command
from .paths import first_missing
from .pictures import draw


@dataclass
class Request:
    """What the user asked for; `training` holds the explicit fields of `SSLTrainingArguments`."""

    method: str
    data: str
    backbone: str | None
    output_dir: Path
    recipe: str | None
    image_size: int | None
    config: dict[str, str]
    processor: dict[str, str]
    image_column: str | None
    label_column: str | None
    max_unreadable: float
    overwrite: bool
    evaluate: bool
    training: dict[str, Any]

    def identity(self) -> dict[str, Any]:
        """What must be the same for an interrupted run to go on."""
        own = asdict(self)
        own["training"] = {k: v for k, v in self.training.items() if not k.startswith(("hub_", "push_to_hub"))}
        return {k: v for k, v in own.items() if k not in ("output_dir", "max_unreadable", "overwrite", "evaluate")}


def run(request: Request) -> None:
    get_method(request.method)  # a misspelt name must not even make a folder
    if request.training.get("push_to_hub"):
        if not request.training.get("hub_model_id"):
            raise ValueError("--push_to_hub needs --hub_model_id user/name.")
        request.training.setdefault("hub_strategy", "end")  # the finished repository, in one commit
    made = first_missing(request.output_dir)
    checkpoints = request.output_dir / "checkpoints"
    if os.environ.get("RANK", "0") == "0":
        claim(request)
    try:
        pretrain(request, checkpoints)
    except BaseException:
        if made and not any_in(checkpoints) and not (request.output_dir / CONFIG_NAME).is_file():
            shutil.rmtree(request.output_dir, ignore_errors=True)
            for parent in request.output_dir.parents:
                if made not in (parent, *parent.parents) or any_in(parent):  # not ours, or another run's by now
                    break
                parent.rmdir()
        raise


def pretrain(request: Request, checkpoints: Path) -> None:
    method = get_method(request.method)
    seed = request.training.get("seed", 42)
    data = load_data(
        request.data,
        seed=seed,
        image_column=request.image_column,
        label_column=request.label_column,
        max_unreadable=request.max_unreadable,
    )
    image_size = choose_image_size(data.train, request.image_size)
    recipe = choose_recipe(method, request.recipe, image_size)
    args = build_training_arguments(recipe, request.training, checkpoints, data)
    names = data.train.label_names
    model, base_model = build_model(method, recipe, request.backbone, request.config, image_size, args.seed, names)
    processor = build_processor(method, recipe, request.processor, image_size, model)
    images = f"{len(data.train)} images" if isinstance(data.train, Sized) else "a stream of images"
    typer.echo(
        f"{method.title} on {data.name}: {images} at {image_size} pixels, "
        f"{model.backbone.num_parameters() / 1e6:.2f} M parameters in the encoder ({recipe.description})."
    )

    trainer = SSLTrainer(model, args, processor, train_dataset=data.train, eval_dataset=data.test)
    started = time.perf_counter()
    last = get_last_checkpoint(checkpoints) if any_in(checkpoints) else None
    resumed_from = int(last.rpartition("-")[2]) if last else 0
    result = trainer.train(resume_from_checkpoint=last)
    seconds = time.perf_counter() - started
    if trainer.doctor is not None and "nan" in trainer.doctor.findings:
        raise ValueError(trainer.doctor.findings["nan"])
    if not trainer.is_world_process_zero():
        return

    output_dir = request.output_dir
    export_pretrained(model.eval(), processor, output_dir)
    # What a user will load.
    encoder, native = AutoModel.from_pretrained(output_dir), AutoImageProcessor.from_pretrained(output_dir)
    report = evaluate_labelled(encoder, native, data, args.seed) if request.evaluate else None
    check = embedding_check(encoder, native)
    log = trainer.state.log_history
    figures = draw(output_dir / "figures", model, processor, data, log, report)
    batch = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
    summary = {
        "command": shown_command(sys.argv[1:]),
        "method": method.name,
        "dataset": data.name,
        "dataset_description": data.description,
        "base_model": base_model,
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
        "training_arguments": changed_arguments(args) | {"optim": args.to_dict()["optim"]},
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
        typer.echo(f"\n{report.table()}\n{report.verdict()}")
    typer.echo(
        f"\nWrote {output_dir}: AutoModel.from_pretrained({str(output_dir)!r}) gives the encoder; the card is "
        f"README.md, the pictures are in figures/, the whole method is in {PRETRAINING}/."
    )
    if args.push_to_hub:
        publish(output_dir, trainer.hub_model_id, args)


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
    typer.echo(f"{'Published' if done.changed else 'Nothing changed:'} {done.commit}")


def claim(request: Request) -> None:
    """
    Take the output folder, or go on with the same run in it.

    Raises:
        ValueError: when it holds something else, another run, or a finished one, and `overwrite` is not set.
    """
    folder, record = request.output_dir, request.output_dir / "run.json"
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--output-dir {folder} is a file: name a folder.")
    identity = json.loads(json.dumps(request.identity(), default=str))
    if record.is_file():
        if not request.overwrite:
            before = json.loads(record.read_text(encoding="utf-8"))
            if before["method"] != identity["method"]:
                raise ValueError(
                    f"{folder} holds a run of {before['method']}, not of {identity['method']}: choose another "
                    "--output-dir, or --overwrite."
                )
            changed = [name for name, value in identity.items() if before.get(name) != value]
            if changed:
                raise ValueError(
                    f"{folder} holds a run with another {', '.join(changed)}: choose another --output-dir, or "
                    "--overwrite."
                )
            if (folder / "results.json").is_file():
                raise ValueError(f"{folder} holds this run, finished: choose another --output-dir, or --overwrite.")
        else:
            shutil.rmtree(folder)
    elif folder.exists() and any(folder.iterdir()):
        raise ValueError(f"--output-dir {folder} holds something else: choose an empty or new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(record, identity)


def any_in(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def evaluate_labelled(encoder, processor, data: Data, seed: int) -> EvaluationReport | None:
    """`None` without labels."""
    if data.test is None or data.train.labels is None:
        return None
    return evaluate_encoder(encoder, processor, data.train, data.test, seed=seed)


def report_unreadable(data: Data) -> None:
    for part in (data.train, data.test):
        if isinstance(part, (DecodedImages, ImageStream)) and part.report():
            typer.echo(part.report(), err=True)


def changed_arguments(args: SSLTrainingArguments) -> dict[str, Any]:
    """The training arguments that differ from the defaults, without paths."""
    default = SSLTrainingArguments(output_dir=args.output_dir).to_dict()
    return {k: v for k, v in args.to_dict().items() if v != default[k] and "dir" not in k and "token" not in k}
