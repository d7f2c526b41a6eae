"""Training that survives: checkpoints that are whole, signals, full disks."""

import shutil
import signal
from collections.abc import Callable, Sized
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerState
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import ExportableState
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, SaveStrategy, TrainOutput
from transformers.utils import logging

from ..utils.files import locked
from ..utils.stopping import Stopped
from .agreement import Agreement
from .checkpoints import aside_of, checkpoints_in, fault, finish, newest_whole, read_manifest, rotate, sweep
from .effective import effective_values
from .interruptions import Interruptions
from .measured import load_measured, save_measured
from .publishing import PublishingTrainer
from .same_data import fingerprint
from .writing import tensors_of, writing_to

logger = logging.get_logger(__name__)


class SavingTrainer(PublishingTrainer):
    """
    [`PublishingTrainer`] whose checkpoints are whole or are not there, see [`~training.checkpoints.finish`].

    - A signal that asks the process to end, such as Ctrl-C, that of a scheduler, or a terminal that is closed, saves a
      checkpoint after the step that runs, whatever `save_strategy` says, and `train` raises [`Stopped`].
    - There is a checkpoint every `save_minutes`; it is removed when the next one is saved.
    - A checkpoint that cannot be written ends training in one sentence, and leaves the ones before.
    - When data cannot be read any more, or a worker of the data loader is killed, in one process, what is trained is
      saved before the exception goes on.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._agreement = Agreement()
        self._interruptions = Interruptions(self._agreement)
        self.add_callback(self._interruptions)
        self._newest: Path | None = None  # checkpoint that was saved last
        self.labelled: torch.Tensor | None = None  # images whose label is used, where it is not that of all

    def train(self, resume_from_checkpoint: str | bool | None = None, *args, **kwargs) -> TrainOutput:
        """
        As ever; but a checkpoint of the last step is taken over as it is, without a step more.

        Args:
            resume_from_checkpoint (`str` or `bool`, *optional*): a checkpoint; `True` for the newest whole one in
                `output_dir`, if there is any.

        Raises:
            ValueError: for a checkpoint that is not whole, or that another number of processes saved, and while
                another process trains in `output_dir`.
            OSError: when a checkpoint cannot be written.
            Stopped: after a signal.
        """
        with ExitStack() as held, self._interruptions.begin():
            checkpoint = self._agreement.by_first(lambda: self._take_folder(resume_from_checkpoint, held))
            if checkpoint is not None:
                state = TrainerState.load_from_json(str(Path(checkpoint, TRAINER_STATE_NAME)))
                if state.global_step == effective_values(self)["steps"]:
                    return self._take_over(checkpoint, state)
            return super().train(checkpoint, *args, **kwargs)

    def _take_folder(self, asked: str | bool | None, held: ExitStack) -> str | None:
        """Lock the folder for this training, and find the checkpoint that it goes on from."""
        folder = Path(self.args.output_dir)
        held.enter_context(locked(folder))
        sweep(folder)
        if not asked:
            return None
        if asked is True:
            checkpoint, passed_over = newest_whole(folder)
            for sentence in passed_over:
                logger.warning(sentence)
        else:
            checkpoint = Path(asked)
            if why := fault(checkpoint):
                newest, _ = newest_whole(checkpoint.parent)
                instead = f"go on from {newest}" if newest else "there is no whole one beside it to go on from"
                raise ValueError(f"Training cannot go on from {checkpoint}: {why}; {instead}.")
        if checkpoint is None:
            return None
        self.require_same_run(checkpoint)
        return str(checkpoint)

    def require_same_run(self, checkpoint: Path) -> None:
        """
        Raises:
            ValueError: when a checkpoint was saved by another number of processes, or with another batch or other
                training images, so that training could not go on from it as if nothing had happened.
        """
        saved_by = len(list(checkpoint.glob("rng_state*.pth")))
        if saved_by != self.args.world_size:
            raise ValueError(
                f"{checkpoint} was saved by {saved_by} process{'es' * (saved_by > 1)}, and now there would be "
                f"{self.args.world_size}, so that what is drawn at random would not go on as it was: start as many "
                "as then."
            )
        before, now = read_manifest(checkpoint) or {}, self._facts()
        names = ["images"] if self.args.auto_find_batch_size else ["images", "global_batch_size"]
        for name in names:
            if before.get(name) not in (None, now[name]):
                raise ValueError(
                    f"{checkpoint} was saved with {name.replace('_', ' ')} = {before[name]}, and now it would be "
                    f"{now[name]}, so that other images would follow: go on with the same, or start another run."
                )
        if before.get("data") not in (None, now["data"]):
            raise ValueError(
                f"{checkpoint} was saved with other training images, or other labels of them: go on with the same, or "
                "start another run."
            )

    def _facts(self) -> dict[str, Any]:
        """What the manifest says of the run."""
        return {
            "processes": self.args.world_size,
            "global_batch_size": self.args.global_batch_size,
            "images": len(self.train_dataset) if isinstance(self.train_dataset, Sized) else None,
            "data": self._fingerprint,
        }

    @cached_property
    def _fingerprint(self) -> str | None:
        return fingerprint(self.train_dataset, self.labelled)

    def _take_over(self, checkpoint: str, state: TrainerState) -> TrainOutput:
        """Be as after the last step."""
        self._load_from_checkpoint(checkpoint)
        self.state = state
        load_measured(self, Path(checkpoint))
        best = state.best_model_checkpoint
        if self.args.load_best_model_at_end and best is not None and Path(best).is_dir():
            self._load_best_model()
        return TrainOutput(state.global_step, 0.0, {})

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model=None) -> None:
        try:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        except RuntimeError as error:  # of tensors of another shape
            said = " ".join(str(error).split())
            raise ValueError(f"{resume_from_checkpoint} is of another model: {said}") from error

    def _issue_warnings_after_load(self, load_result) -> None:
        names = [*load_result.missing_keys, *load_result.unexpected_keys]
        if names:
            raise ValueError(
                f"The checkpoint is of another model, as only one of the two has {names[0]}: go on with the model "
                "that was saved, or start another run."
            )

    def _load_rng_state(self, checkpoint: str) -> None:
        super()._load_rng_state(checkpoint)
        load_measured(self, Path(checkpoint))

    # When to save.

    def _maybe_log_save_evaluate(self, *args, **kwargs) -> None:
        super()._maybe_log_save_evaluate(*args, **kwargs)
        if self._interruptions.ends_now():
            self._stop()

    def _determine_best_metric(self, metrics, trial) -> bool:
        is_best = super()._determine_best_metric(metrics, trial)
        if is_best or self.args.save_strategy != SaveStrategy.BEST:
            return is_best
        return not self._interruptions.scheduled  # a checkpoint is saved for what this gives, and for nothing else

    def _finalize_training(self, trial, *args) -> TrainOutput:
        output = super()._finalize_training(trial, *args)
        self._interruptions.ask(self.args)
        if self._interruptions.signum:
            if not self._interruptions.is_saved(self.state) and not self.args.load_best_model_at_end:
                self._save_off_schedule(trial)
            self._stop()
        return output

    def get_batch_samples(self, *args, **kwargs):
        try:
            batches = super().get_batch_samples(*args, **kwargs)
            self._interruptions.signals.leave_workers_to_their_loader()
            return batches
        except Exception as error:
            # Between two steps: nothing of the next one has begun. Other processes would have to save with this one.
            state = self.state
            if self.args.world_size == 1 and state.global_step and not self._interruptions.is_saved(state):
                self._save_off_schedule(None)
            if isinstance(error, RuntimeError) and "DataLoader worker" in str(error):
                raise OSError(
                    "A worker of the data loader was killed, mostly for want of memory: lower dataloader_num_workers. "
                    f"The run stands at step {state.global_step}."
                ) from error
            raise

    def _stop(self) -> None:
        signum, state = self._interruptions.signum, self.state
        saved = f"saved in {self._newest}" if self._interruptions.is_saved(state) else "which is not saved"
        step = f"step {state.global_step} of {state.max_steps}"
        raise Stopped(signum, f"Stopped by {signal.Signals(signum).name} at {step}, {saved}.")

    def _save_off_schedule(self, trial) -> None:
        self._interruptions.scheduled = False
        self._save_checkpoint(self.model, trial)
        self.control = self.callback_handler.on_save(self.args, self.state, self.control)

    # How to save.

    def _checkpoint(self, trial) -> Path:
        return Path(self._get_output_dir(trial), f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}")

    def _save_checkpoint(self, model, trial) -> None:
        checkpoint, scheduled = self._checkpoint(trial), self._interruptions.scheduled
        aside = aside_of(checkpoint)
        if self.hp_search_backend is None and trial is None:
            self.store_flos()
        if self.args.save_strategy != SaveStrategy.NO and self.state.best_global_step:
            best = checkpoint.with_name(f"{PREFIX_CHECKPOINT_DIR}-{self.state.best_global_step}")
            if best == checkpoint or best.is_dir():
                self.state.best_model_checkpoint = str(best)
        facts = {"step": self.state.global_step, "scheduled": scheduled, **self._facts()}
        try:
            self._in_all(lambda: self._write(aside, scheduled), checkpoint)
            self._in_all(lambda: finish(aside, checkpoint, facts) if self.args.should_save else None, checkpoint)
        finally:
            if self.args.should_save:
                shutil.rmtree(aside, ignore_errors=True)
        self._newest = checkpoint
        if self.args.push_to_hub and scheduled:
            self._push_from_checkpoint(str(checkpoint))
        if self.args.should_save:
            best = self.state.best_model_checkpoint
            rotate(checkpoint, Path(best) if best else None, self.args.save_total_limit)

    def _in_all(self, action: Callable[[], None], checkpoint: Path) -> None:
        """
        Do a part of saving in every process; where it fails in one, all raise the same error.

        Raises:
            OSError: one sentence.
        """

        def needed() -> int:
            return sum(tensor.nbytes for tensor in tensors_of((self.model.state_dict(), self.optimizer.state_dict())))

        def translated() -> None:
            with writing_to(aside_of(checkpoint), needed):
                action()

        failure = self._agreement.first_failure(translated, (OSError,))
        if failure is None:
            return
        older = [path for path in checkpoints_in(checkpoint.parent) if path != checkpoint]
        intact = f"{older[-1]} is intact, and the run goes on from there" if older else "The run starts again"
        raise OSError(
            f"{checkpoint} could not be written: {failure}. It takes {max(needed(), 10**6) / 1e6:.0f} MB. {intact} "
            "when the same command is started again once it can be written."
        ) from failure

    def _write(self, aside: Path, scheduled: bool) -> None:
        """Write every part of a checkpoint, each process its own."""
        folder = str(aside)
        self.save_model(folder, _internal_call=True)
        if not (scheduled and self.args.save_only_model):
            self._save_optimizer_and_scheduler(folder)
            self._save_scaler(folder)
            self._save_rng_state(folder)
            save_measured(self, aside)
        if self.args.should_save:
            states: dict[str, list[dict]] = {}
            for part in (*self.callback_handler.callbacks, self.control):
                if isinstance(part, ExportableState):
                    states.setdefault(type(part).__name__, []).append(part.state())
            self.state.stateful_callbacks = {name: s if len(s) > 1 else s[0] for name, s in states.items()}
            self.state.save_to_json(str(aside / TRAINER_STATE_NAME))
