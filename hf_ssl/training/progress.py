"""What a run shows while it goes on: a bounded number of lines, and on a terminal one that is rewritten."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps

from tqdm.auto import tqdm
from transformers import PrinterCallback, ProgressCallback

_LINES = 20  # of losses in a run
_NAMES = {"loss": "loss", "eval_loss": "test loss", "eval_knn": "kNN", "embedding_rank": "effective rank"}


def never_fails(show: Callable) -> Callable:
    """A function that shows something, without effect where nobody reads it any more."""

    @wraps(show)
    def shown(*args, **kwargs) -> None:
        with suppress(OSError, ValueError):  # a closed pipe or terminal, a full disk; a closed file of Python
            show(*args, **kwargs)

    return shown


class LogPrinter(PrinterCallback):
    """Prints what is logged, as long as somebody reads it."""

    on_log = never_fails(PrinterCallback.on_log)


class ProgressLine(ProgressCallback):
    """A bar on terminals only, without a second one for evaluations, and lines in place of dictionaries."""

    @never_fails
    def on_train_begin(self, args, state, control, **kwargs):
        self.first_step = self.current_step = state.global_step
        self.started, self.shown = time.monotonic(), -1
        if state.is_world_process_zero:
            self.training_bar = tqdm(
                total=state.max_steps,
                initial=state.global_step,
                dynamic_ncols=True,
                disable=not sys.stderr.isatty(),  # a file keeps what a terminal overwrites
            )

    @never_fails
    def on_step_end(self, *args, **kwargs):
        if self.training_bar is not None:
            super().on_step_end(*args, **kwargs)

    @never_fails
    def on_train_end(self, *args, **kwargs):
        if self.training_bar is not None:
            super().on_train_end(*args, **kwargs)

    def on_prediction_step(self, args, state, control, **kwargs):
        if self.training_bar is not None:
            self.training_bar.set_postfix_str("evaluating", refresh=False)

    def on_evaluate(self, args, state, control, **kwargs):
        if self.training_bar is not None:
            self.training_bar.set_postfix_str("", refresh=False)

    @never_fails
    def on_log(self, args, state, control, logs=None, **kwargs):
        if self.training_bar is None or not logs:
            return
        parts = [f"{word} {logs[name]:.4g}" for name, word in _NAMES.items() if name in logs]
        part = state.global_step * _LINES // max(state.max_steps, 1)
        if parts and ("loss" not in logs or part > self.shown):
            self.shown = part
            line = f"step {state.global_step} of {state.max_steps}: {', '.join(parts)}"
            self.training_bar.write(line + (self._time_left(state) if "loss" in logs else ""))

    def _time_left(self, state) -> str:
        done, left = state.global_step - self.first_step, state.max_steps - state.global_step
        if not done or not left:
            return ""
        seconds = (time.monotonic() - self.started) / done * left
        return f", {tqdm.format_interval(seconds)} left"

    @never_fails
    def clear(self) -> None:
        """Take the rewritten line away, for a message in its place."""
        if self.training_bar is not None:
            self.training_bar.leave = False
            self.training_bar.close()
            self.training_bar = None
