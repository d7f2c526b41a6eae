"""What the Trainer pushes to the Hub: a repository that plain transformers loads, never its own checkpoint."""

import tempfile
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo, HfApi
from transformers import Trainer
from transformers.trainer_utils import HubStrategy, SaveStrategy
from transformers.utils import logging
from transformers.utils.hub import PushInProgress

from ..checks.regular_files import read_text_if_any
from ..data import Data, ImageDataset, ImageStream
from ..evaluation import EvaluationReport
from ..hub import open_repository, write_card
from ..hub.figures.of_run import draw
from ..hub.hub_errors import clear_errors
from ..hub.published_files import FIGURES
from ..modeling_utils import SSLPreTrainedModel
from .publication import export_run, publish_run, write_run_card
from .run_record import RunRecord

logger = logging.get_logger(__name__)


class PublishingTrainer(Trainer):
    """
    [`~transformers.Trainer`] with `push_to_hub`, `create_model_card` and every `hub_strategy` for the layout of
    `export_pretrained`: the native encoder at the root, the method under `pretraining/`, a card, one commit each.

    The card and `results.json` are of the [`RunRecord`] of this trainer: what it cannot know of itself, such as
    `command`, `recipe`, `dataset` and `base_model`, is in the dict `about`, to which anybody may add.

    - "end": only what `push_to_hub` and `save_model` push.
    - "every_save": at every save too, in the background. One that fails is logged, and training goes on.
    - "checkpoint", "all_checkpoints": and in a second commit the checkpoint, in `last-checkpoint/` or
      `checkpoint-N/`, with the optimizer, to resume from; without `training_args.bin`, which may hold a token.
    """

    about: dict[str, Any]
    _hub: HfApi | None = None
    _began: tuple[float, int] | None = None  # when the last call of `train` began, and at which step

    def init_hf_repo(self, token: str | None = None, private: bool | None = None) -> None:
        """
        Make the repository, and find out before training whether it can be pushed to.

        Raises:
            ValueError, OSError: see `open_repository`.
        """
        if not self.is_world_process_zero():
            return
        args = self.args
        repository = open_repository(
            args.hub_model_id or Path(args.output_dir).absolute().name,
            token=token or args.hub_token,
            private=args.hub_private_repo if private is None else private,
            revision=args.hub_revision,
        )
        self.hub_model_id, self.push_in_progress = repository.id, None
        self._hub = HfApi()  # its one thread keeps the pushes in order

    def last_training(self) -> tuple[float | None, int | None]:
        """Seconds that the last call of `train` has taken so far, and the step it began at; None before the first."""
        if self._began is None:
            return None, None
        began, step = self._began
        runtimes = [entry["train_runtime"] for entry in self.state.log_history if "train_runtime" in entry]
        return time.time() - began if self.is_in_train or not runtimes else runtimes[-1], step

    def _init_training_state(self, *args):
        progress = super()._init_training_state(*args)
        self._began = (time.time(), self.state.global_step)
        return progress

    def create_model_card(
        self,
        license: str | None = None,
        tags: str | list[str] | None = None,
        finetuned_from: str | None = None,
        dataset: str | None = None,
        evaluation: EvaluationReport | None = None,
        **kwargs,
    ) -> None:
        """
        Write `README.md` into the output folder; notes in one that is there stay.

        Args:
            license (`str`, *optional*): of the weights; by default that of the card that is there, or "apache-2.0".
            tags (`str` or `list[str]`, *optional*): more tags.
            finetuned_from (`str`, *optional*): the encoder that training started from.
            dataset (`str`, *optional*): what it was trained on.
            evaluation ([`EvaluationReport`], *optional*): how good the encoder is, see `evaluate_encoder`.
            kwargs: further arguments of [`Trainer.create_model_card`]; the card has no place for them.

        Raises:
            ValueError: for a further argument.
        """
        kwargs |= {"finetuned_from": finetuned_from, "dataset": dataset}
        facts = self._card_arguments(license=license, tags=tags, evaluation=evaluation, **kwargs)
        if self.is_world_process_zero():
            readme = Path(self.args.output_dir, "README.md")
            readme.parent.mkdir(parents=True, exist_ok=True)
            existing = read_text_if_any(readme)
            model = self.accelerator.unwrap_model(self.model)
            record = facts.pop("record")
            card = write_card(
                model,
                self.processing_class,
                results=record.evaluation,
                run=record.run,
                repo_id=self.hub_model_id,
                existing=existing,
                **facts,
            )
            readme.write_text(card, encoding="utf-8")

    def push_to_hub(
        self,
        commit_message: str | None = "End of training",
        blocking: bool = True,
        token: str | None = None,
        revision: str | None = None,
        private: bool | None = None,
        pictures: bool = True,
        **kwargs,
    ) -> CommitInfo | Future | None:
        """
        Publish the model as it is now.

        Args:
            blocking (`bool`, *optional*, defaults to `True`): wait until it is done.
            pictures (`bool`, *optional*, defaults to `True`): draw the curve, nearest neighbours, and what else the
                method can show of itself, where matplotlib is installed.
            kwargs: arguments of `create_model_card`.
            commit_message, token, revision, private: see `push_folder`.

        Returns:
            `CommitInfo`, or a `Future` of it; `None` in processes other than the first.

        Raises:
            ValueError, OSError: see `push_folder`.
        """
        self.callback_handler.on_push_begin(self.args, self.state, self.control)
        facts = self._card_arguments(**kwargs)
        if self.hub_model_id is None:
            self.init_hf_repo(token=token, private=private)
        self.save_model(_internal_call=True)  # gathers what is spread over processes
        if not self.is_world_process_zero():
            return None
        staging = self._staged(self.args.output_dir, token, revision, facts, pictures)
        self._finish_current_push()
        job = self._hub.run_as_future(
            self._push_staged, staging, commit_message, token=token, revision=revision, private=private
        )
        return job.result() if blocking else job

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        args = self.args
        if not self.is_world_process_zero() or args.hub_strategy == HubStrategy.END:
            return
        if not args.hub_always_push and self.push_in_progress is not None and not self.push_in_progress.is_done():
            return
        self.callback_handler.on_push_begin(args, self.state, self.control)
        steps = args.save_strategy == SaveStrategy.STEPS
        when = f"step {self.state.global_step}" if steps else f"epoch {int(self.state.epoch)}"
        message = f"Training in progress, {when}"
        try:
            staging = self._staged(checkpoint_folder, None, None, {"record": RunRecord.from_trainer(self)})
        except (ValueError, OSError) as error:
            logger.warning(f"{message}, is not pushed: {error}")
            return
        jobs = [self._hub.run_as_future(self._push_staged, staging, message)]
        if args.hub_strategy in (HubStrategy.CHECKPOINT, HubStrategy.ALL_CHECKPOINTS):
            last = args.hub_strategy == HubStrategy.CHECKPOINT
            jobs.append(
                self._hub.run_as_future(
                    self._upload,
                    folder_path=checkpoint_folder,
                    path_in_repo="last-checkpoint" if last else Path(checkpoint_folder).name,
                    commit_message=f"{message}, checkpoint",
                )
            )
        if self.push_in_progress is not None and not self.push_in_progress.is_done():
            self.push_in_progress.jobs.extend(jobs)
        else:
            self._finish_current_push()
            self.push_in_progress = PushInProgress(jobs)

    def _upload(self, **what: str) -> None:
        """What is needed to go on with this run, without the arguments that hold the token."""
        with clear_errors(self.hub_model_id):
            self._hub.upload_folder(
                repo_id=self.hub_model_id,
                token=self.args.hub_token,
                ignore_patterns=["training_args.bin"],
                revision=self.args.hub_revision,
                **what,
            )

    def _finish_current_push(self) -> None:
        if self._hub is None or self.push_in_progress is None:
            return
        super()._finish_current_push()
        for job in self.push_in_progress.jobs:
            if job.exception() is not None:
                logger.warning(f"A push during training failed: {job.exception()}")
        self.push_in_progress = None

    def _staged(
        self,
        checkpoint_folder: str,
        token: str | None,
        revision: str | None,
        facts: dict[str, Any],
        pictures: bool = False,
    ) -> tempfile.TemporaryDirectory:
        """The repository of a checkpoint: whole on one process, however the model is spread while it trains."""
        kind: type[SSLPreTrainedModel] = type(self.accelerator.unwrap_model(self.model))
        model = kind.from_pretrained(checkpoint_folder)
        repository = open_repository(
            self.hub_model_id, token=token or self.args.hub_token, revision=revision or self.args.hub_revision
        )
        folder, record = tempfile.TemporaryDirectory(), facts.pop("record")
        export_run(Path(folder.name), model, self.processing_class, record)
        write_run_card(
            Path(folder.name),
            model,
            self.processing_class,
            record,
            repo_id=self.hub_model_id,
            figures=self._draw(Path(folder.name, FIGURES), model, record) if pictures else (),
            existing=repository.card,
            **facts,
        )
        return folder

    def _draw(self, folder: Path, model: SSLPreTrainedModel, record: RunRecord) -> list[str]:
        """The pictures of the run, by their paths in the repository; none of data that only its collator knows."""
        train, test = self.train_dataset, self.eval_dataset
        if not isinstance(train, (ImageDataset, ImageStream)):
            return []
        test = test if isinstance(test, (ImageDataset, ImageStream)) else None
        data = Data("", train, test, train.label_names, "", "")
        report = EvaluationReport.from_dict(record.evaluation) if record.evaluation else None
        drawn = draw(folder, model.eval(), self.processing_class, data, record.log, report)
        return [f"{FIGURES}/{path.name}" for path in drawn]

    def _push_staged(
        self,
        staging: tempfile.TemporaryDirectory,
        message: str | None,
        token: str | None = None,
        revision: str | None = None,
        private: bool | None = None,
    ) -> CommitInfo:
        args = self.args
        with staging as folder:
            done = publish_run(
                Path(folder),
                self.hub_model_id,
                carded_for=self.hub_model_id,
                private=args.hub_private_repo if private is None else private,
                token=token or args.hub_token,
                revision=revision or args.hub_revision,
                commit_message=message,
            )
        return done.commit

    def _card_arguments(
        self, tags: str | list[str] | None = None, evaluation: EvaluationReport | None = None, **kwargs
    ) -> dict[str, Any]:
        """The record of this run, and arguments of `write_card`, from those of `create_model_card`."""
        kwargs.pop("model_name", None)  # that of the repository
        names = {"dataset": "dataset", "base_model": "finetuned_from"}
        told = {name: kwargs.pop(argument, None) for name, argument in names.items()}
        license = kwargs.pop("license", None)
        unused = [name for name, value in kwargs.items() if value is not None]
        if unused:
            raise ValueError(f"The card has no place for {', '.join(unused)}: write it into the card's notes.")
        record = RunRecord.from_trainer(self, evaluation)
        record.run |= {name: value for name, value in told.items() if value}
        return {"license": license, "tags": [tags] if isinstance(tags, str) else tags, "record": record}
