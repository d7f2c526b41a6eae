"""What a run shows while it goes on: one line that is rewritten, and a bounded number that stay."""

import sys

from tqdm.auto import tqdm
from transformers import ProgressCallback

_LINES = 20  # of losses in a run
_NAMES = {"loss": "loss", "eval_loss": "test loss", "eval_knn": "kNN", "embedding_rank": "effective rank"}


class ProgressLine(ProgressCallback):
    """transformers' bar, without a second one for every evaluation, and with sentences for dictionaries."""

    def on_train_begin(self, args, state, control, **kwargs):
        self.current_step, self.shown = state.global_step, -1
        if state.is_world_process_zero:
            interval = 0.1 if sys.stderr.isatty() else 10.0  # seconds; a file keeps what a terminal overwrites
            self.training_bar = tqdm(
                total=state.max_steps, initial=state.global_step, dynamic_ncols=True, mininterval=interval
            )

    def on_prediction_step(self, args, state, control, **kwargs):
        if self.training_bar is not None:
            self.training_bar.set_postfix_str("evaluating", refresh=False)

    def on_evaluate(self, args, state, control, **kwargs):
        if self.training_bar is not None:
            self.training_bar.set_postfix_str("", refresh=False)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if self.training_bar is None or not logs:
            return
        parts = [f"{word} {logs[name]:.4g}" for name, word in _NAMES.items() if name in logs]
        part = state.global_step * _LINES // max(state.max_steps, 1)
        if parts and ("loss" not in logs or part > self.shown):
            self.shown = part
            self.training_bar.write(f"step {state.global_step} of {state.max_steps}: {', '.join(parts)}")
