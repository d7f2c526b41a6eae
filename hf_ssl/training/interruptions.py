"""Checkpoints that no schedule asks for: before a signal ends a run, and every few minutes."""

import os
import signal
import time
from contextlib import suppress

from transformers import TrainerCallback
from transformers.trainer_utils import IntervalStrategy

from ..utils.stopping import CaughtSignals, Stopped
from .agreement import Agreement


class Interruptions(TrainerCallback):
    """
    Asks for a checkpoint when a signal was caught, and when the last one is `save_minutes` old; in all processes at
    the same step. What is to be saved after the last step of an epoch is saved when the epoch has ended, together with
    what is evaluated then: whoever goes on from there begins with the next epoch.

    Attributes:
        signum (`int`): of the signal that ends this training, as all processes know it; 0 without one.
        scheduled (`bool`): whether the next checkpoint is one that the arguments, or other callbacks, ask for.
    """

    def __init__(self, agreement: Agreement):
        self._agreement = agreement
        self.signals = CaughtSignals(self._on_signal)
        self.signum = 0
        self.scheduled = True
        self._has_trained = self._deferred = self._is_first = False
        self._saved_step, self._saved_at = None, 0.0

    def begin(self) -> CaughtSignals:
        """What `Trainer.train` runs inside."""
        self.signals, self.signum, self._has_trained = CaughtSignals(self._on_signal), 0, False
        return self.signals

    def is_saved(self, state) -> bool:
        """Whether there is a checkpoint of the present step."""
        return self._saved_step == state.global_step

    def ends_now(self) -> bool:
        """Whether training ends here: a signal was caught, and nothing waits for the end of the epoch."""
        return bool(self.signum) and not self._deferred

    def ask(self, args) -> bool:
        """Whether a signal was caught in any process, or the first says that it is time."""
        minutes = 0 if args.save_strategy == IntervalStrategy.NO else args.save_minutes
        late = self._is_first and 0 < 60 * minutes <= time.monotonic() - self._saved_at
        self.signum, is_late = self._agreement.largest(self.signals.signum, int(late))
        return bool(self.signum or is_late)

    def on_train_begin(self, args, state, control, **kwargs):
        self._is_first = state.is_world_process_zero
        self._saved_step, self._saved_at = None, time.monotonic()

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        self._has_trained = True

    def on_step_end(self, args, state, control, **kwargs):
        self._request(args, state, control)
        self._deferred = control.should_save and state.epoch == int(state.epoch)
        control.should_save = control.should_save and not self._deferred

    def on_epoch_end(self, args, state, control, **kwargs):
        self.scheduled = self.scheduled or control.should_save
        control.should_save, self._deferred = control.should_save or self._deferred, False
        self._request(args, state, control)

    def on_save(self, args, state, control, **kwargs):
        self._saved_step, self._saved_at, self.scheduled = state.global_step, time.monotonic(), True

    def _request(self, args, state, control) -> None:
        if self.ask(args) and not control.should_save and not self.is_saved(state):
            control.should_save, self.scheduled = True, False

    def _on_signal(self, number: int) -> None:
        name = signal.Signals(number).name
        if not self._has_trained:
            raise Stopped(number, f"Stopped by {name} before the first step.")
        if self._is_first:
            with suppress(OSError):  # no print: the signal may have come inside another
                os.write(2, f"\n{name}: a checkpoint is saved after this step; once more ends at once.\n".encode())
