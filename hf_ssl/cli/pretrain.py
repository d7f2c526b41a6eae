"""`hf-ssl pretrain`: from a request to a trained, evaluated and exported encoder."""

import shutil
import sys
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from transformers.trainer import TRAINER_STATE_NAME
from transformers.utils import CONFIG_NAME

from ..data import Data, load_data
from ..hub import PRETRAINING
from ..nn.distributed import leave_the_others
from ..recipes import require_encoder
from ..registry import get_method
from ..training import SSLTrainer
from ..training.checkpoints import step_of
from ..training.opened import facts_of
from ..training.run_record import RunRecord
from ..utils.printing import say
from .assemble import Assembly, assemble
from .finish import Trained, finish, publish
from .interruptions import during
from .messages import announcement, why_little
from .options import shown_command
from .run_folder import RunFolder, any_file, held, is_first_process
from .run_state import RECORD


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
    text_column: str | None
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
    is_new = not request.output_dir.exists()
    with held(request.output_dir):
        folder = RunFolder(request.output_dir, asdict(request), request.overwrite)
        try:
            pretrain(request, folder)
        except BaseException:
            nothing_kept = not any_file(folder.checkpoints) and not (request.output_dir / CONFIG_NAME).is_file()
            if nothing_kept and is_first_process():
                shutil.rmtree(request.output_dir if is_new else folder.checkpoints, ignore_errors=True)
            raise


def pretrain(request: Request, folder: RunFolder) -> None:
    began, token = time.perf_counter(), request.training.get("hub_token")
    if is_first_process():
        for sentence in folder.passed_over:
            say(sentence, err=True)
    if folder.is_trained:
        if not is_first_process():
            return
        folder.go_on()
        report = finish(folder, partial(read_images, request), token)
        run = None
    else:
        run = train(request, folder, began)
        if run is None:
            return
        trained = Trained(run.model.eval(), run.processor, lambda: run.data)
        report = finish(folder, trained.images, token, trained)
        if unreadable := run.data.report():
            say(unreadable, err=True)
    if report and run and (advice := why_little(run, report)):
        say(advice)
    say(
        f"\nWrote {folder.folder}: AutoModel.from_pretrained({str(folder.folder)!r}) gives the encoder; the card is "
        f"README.md, the pictures are in figures/, the whole method is in {PRETRAINING}/."
    )
    if "pushed" in folder.missing:
        with during("while the run was published"):
            publish(folder, token)


def read_images(request: Request) -> Data:
    method = get_method(request.method)
    with during("while the images were read"):
        return load_data(
            request.data,
            seed=request.data_seed,
            image_column=request.image_column,
            label_column=request.label_column,
            label_level=request.label_level,
            split=request.split,
            test_split=request.test_split,
            max_unreadable=request.max_unreadable,
            exclude=[request.output_dir],
            text_column=request.text_column,
            captions="text" in method.processor_class.sample_keys,
            modality=method.info.modality,
        )


def train(request: Request, folder: RunFolder, began: float) -> Assembly | None:
    """What was trained; `None` in processes other than the first, which have nothing left to do."""
    method, last = get_method(request.method), folder.last_checkpoint
    decided = require_decided(folder) if last else {}
    require_encoder(request.backbone, request.image_size)
    data = read_images(request)
    with during("while the run was set up"):
        run = assemble(request, method, data, folder.checkpoints, decided, began, last)
        args = run.args
        trainer = SSLTrainer(run.model, args, run.processor, train_dataset=run.train, eval_dataset=data.test)
        effective = trainer.effective()
        if trainer.doctor is not None:
            trainer.doctor.warns = False  # raised below, as the last word
        if last:
            trainer.require_same_run(last)
        if trainer.is_world_process_zero():
            longer = folder.begin(effective["steps"], run.decided() | {"minutes": request.minutes})
            say(announcement(method, data, run, effective))
            if longer:
                say(longer)

    with during("while it trained"):
        result = trainer.train(resume_from_checkpoint=str(last) if last else None)
    if trainer.doctor is not None and "nan" in trainer.doctor.findings:
        raise ValueError(trainer.doctor.findings["nan"])
    leave_the_others()
    if not trainer.is_world_process_zero():
        return None
    start, steps = folder.state.done["training"], result.global_step
    # Nothing was left to train where the last checkpoint is of the last step: it was then that training ended.
    ended = (last / TRAINER_STATE_NAME).stat().st_mtime if last and step_of(last) == steps else time.time()
    seconds = max(ended - start["began"], 1e-3)
    trainer.about |= {
        "command": shown_command(sys.argv[1:]),
        **facts_of(data),
        "split": data.split | request.split_asked(),
        "base_model": run.base_model,
        "recipe": run.recipe_name,
    }
    record = RunRecord.from_trainer(trainer, seconds=seconds, resumed_from=start["from_step"])
    with during("while the record of the training was written"):
        record.write(folder.folder)
        best = trainer.state.best_model_checkpoint if args.load_best_model_at_end else None
        facts = {"steps": steps, "repo_id": trainer.hub_model_id}
        folder.did("trained", facts | ({"checkpoint": Path(best).name} if best else {}))
    return run


def require_decided(folder: RunFolder) -> dict[str, Any]:
    """What `Assembly.decided` gave when the run began."""
    decided = folder.state.decided
    if not {"recipe", "costs", "wanted_steps", "eval_strategy"} <= decided.keys():
        raise ValueError(
            f"{folder.folder / RECORD} does not hold what was decided when the run began, and without that it cannot "
            "go on: choose another --output-dir, or start again with --overwrite."
        )
    return decided
