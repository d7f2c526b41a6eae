"""The doctor: names a failing run in words while it runs, and says what to do."""

import math
from collections.abc import Sized
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback
from transformers.utils import logging

from ..evaluation import effective_rank
from ..nn.distributed import gather, max_over_ranks, world_size
from ..nn.network_copy import NetworkCopy
from .checkpoints import newest_whole

logger = logging.get_logger(__name__)

# Fields of the methods' configurations, and which way they help: targets that are sharper, logits that are smaller.
_SHARPER = {"teacher_temperature": "lower", "sinkhorn_epsilon": "lower", "center_momentum": "raise"}
_SMALLER_LOGITS = {"temperature": "raise", "student_temperature": "raise", "inverse_temperature": "lower"}


class Doctor(TrainerCallback):
    """
    Checks at every log; each finding is reported once, kept in `findings`, and logged as a warning.

    - `nan`: the loss, or a weight that is about to be saved or evaluated, is not finite; training is stopped, and the
      weights are not saved.
    - `uniform`: the loss stays, over `patience` logs, within 0.1 % of that of a uniform output.
    - `rank`: the effective rank (arXiv:2210.02885) of recent embeddings is below `min_rank`.
    - `teacher`: no parameter of the momentum network changed between two logs.

    What a finding advises are fields that the method and the training arguments have, with their present values.

    Args:
        patience (`int`, *optional*, defaults to 3): logs in a row before `uniform` and `rank` are reported.
        min_rank (`float`, *optional*, defaults to 2.0)
        window (`int`, *optional*, defaults to 512): recent embeddings that the rank is taken of.

    With `warns = False`, `nan` is only kept in `findings`, for whoever raises it as an error.
    """

    warns = True

    def __init__(self, patience: int = 3, min_rank: float = 2.0, window: int = 512):
        self.patience = patience
        self.min_rank = min_rank
        self.window = window
        self.findings: dict[str, str] = {}
        self._embeddings: list[torch.Tensor] = []
        self._seen = {"uniform": 0, "rank": 0}
        self._teacher: torch.Tensor | None = None

    def observe(self, embeddings: torch.Tensor) -> None:
        """Remember embeddings (batch, dim) of a training step."""
        self._embeddings.append(embeddings.detach().float())
        while sum(map(len, self._embeddings[1:])) >= self.window:
            self._embeddings.pop(0)

    def rank(self) -> float | None:
        """
        Effective rank of the remembered embeddings, of all processes, or `None` when there are fewer than 16, or some
        not finite.
        """
        if sum(map(len, self._embeddings)) * world_size() < 16:
            return None
        embeddings = gather(torch.cat(self._embeddings)[-self.window :])
        return float(effective_rank(embeddings)) if embeddings.isfinite().all() else None

    def state_dict(self) -> dict[str, Any]:
        """What it knows of the run."""
        embeddings = [part.cpu() for part in self._embeddings]
        return {"findings": self.findings, "seen": self._seen, "embeddings": embeddings, "teacher": self._teacher}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """The opposite of `state_dict`."""
        self.findings, self._seen = dict(state["findings"]), dict(state["seen"])
        self._embeddings, self._teacher = [part.to(device) for part in state["embeddings"]], state["teacher"]

    def on_step_end(self, args, state, control, model=None, **kwargs):
        # Logs are rare: the weights can be lost before one says so.
        if (control.should_save or control.should_evaluate) and "nan" not in self.findings and not _finite(model):
            self._stop("A weight is no longer finite", args, state, control, model)

    def on_epoch_end(self, args, state, control, model=None, **kwargs):
        self.on_step_end(args, state, control, model)
        if "nan" in self.findings:
            control.should_save = control.should_evaluate = False

    def on_log(self, args, state, control, model=None, logs=None, train_dataloader=None, **kwargs):
        losses = {name: float(value) for name, value in (logs or {}).items() if name == "loss" or _of_test(name)}
        for name, loss in losses.items():
            if not math.isfinite(loss):
                where = "" if name == "loss" else " of the evaluation"
                self._stop(f"The loss{where} is {loss}", args, state, control, model)
                return
        if "loss" not in losses:
            return
        loss = losses["loss"]
        config = model.config.to_dict()
        uniform = logs.get("uniform_loss")
        if self._persists("uniform", uniform is not None and abs(loss - uniform) < 1e-3 * uniform):
            self._report(
                "uniform",
                f"The loss is {loss:.4f}, which is what a uniform output gives ({uniform:.4f}, the logarithm of the "
                "number of candidates): the targets carry no information. "
                + _advice(*_fields(config, _SHARPER), f"lower {_learning_rate(args)}"),
            )
        if self._embeddings and "embedding_rank" in logs:
            rank = logs["embedding_rank"]
            if self._persists("rank", rank < self.min_rank):
                self._report(
                    "rank",
                    f"The embeddings use {rank:.1f} of {self._embeddings[-1].shape[-1]} dimensions (effective rank): "
                    "the encoder gives nearly the same answer for every image. "
                    + _advice(
                        "strengthen the views",
                        *_larger_batch(args, model, train_dataloader),
                        f"lower {_learning_rate(args)}",
                        "check that the images are not all alike",
                    ),
                )
        teacher = self._teacher_state(model)
        if teacher is not None:
            if self._teacher is not None and torch.equal(teacher, self._teacher):
                momenta = [
                    f"{k} may be 1 (now {config[k]:g})" for k in ("teacher_momentum", "target_momentum") if k in config
                ]
                self._report(
                    "teacher",
                    "The teacher has not moved since the last log, although the student is trained: "
                    + ", or ".join([*momenta, "the model's after_optimizer_step is not called (use SSLTrainer)"])
                    + ".",
                )
            self._teacher = teacher

    def _persists(self, name: str, present: bool) -> bool:
        self._seen[name] = self._seen[name] + 1 if present else 0
        return self._seen[name] >= self.patience

    def _report(self, name: str, finding: str) -> None:
        if name not in self.findings:
            self.findings[name] = finding
            if self.warns or name != "nan":
                logger.warning(f"Doctor: {finding}")

    def _stop(self, what: str, args, state, control, model) -> None:
        control.should_training_stop = True
        control.should_save = control.should_evaluate = False
        advice = [f"lower {_learning_rate(args)}"]
        if args.fp16:
            advice.insert(0, "use bf16 in place of fp16, whose largest number is 65504")
        if args.warmup_epochs or not args.warmup_steps:
            advice.append(f"lengthen warmup_epochs (now {args.warmup_epochs:g})")
        else:
            advice.append(f"lengthen warmup_steps (now {args.warmup_steps:g})")
        if args.max_parameter_grad_norm is None:
            advice.append(f"{'lower' if args.max_grad_norm else 'set'} max_grad_norm (now {args.max_grad_norm:g})")
        advice += _fields(model.config.to_dict(), _SMALLER_LOGITS)
        if state.global_step <= max(args.logging_steps, 1):
            advice.append("look for values in the data that are no numbers")
        last, _ = newest_whole(Path(args.output_dir))
        kept = f"The last sound checkpoint is kept: {last}." if last else "There was no checkpoint yet."
        self._report("nan", f"{what} at step {state.global_step} of {state.max_steps}. {_advice(*advice)} {kept}")

    @staticmethod
    def _teacher_state(model) -> torch.Tensor | None:
        """A copy of some weights of the momentum network, or `None` when the method has none."""
        for name, child in model.named_children():
            if isinstance(child, NetworkCopy):
                network = child if name in model.frozen_modules else model.backbone
                return torch.stack([p.detach().double().sum() for p in network.parameters()]).cpu()
        return None


def _finite(model) -> bool:
    """In every process: buffers may differ between them, and all must stop together."""
    floats = [t.detach() for t in (*model.parameters(), *model.buffers()) if t.is_floating_point()]
    broken = ~torch.stack([t.float().sum() for t in floats]).isfinite()
    return not max_over_ranks(broken.any().int())


def _of_test(name: str) -> bool:
    return name.startswith("eval_") and name.endswith("_loss")


def _learning_rate(args) -> str:
    name, value = "learning_rate", args.learning_rate
    if args.base_learning_rate is not None:  # the field that was set
        name, value = "base_learning_rate", args.base_learning_rate
    return f"{name} (now {value:g})"


def _fields(config: dict, ways: dict[str, str]) -> list[str]:
    return [f"{way} {name} (now {config[name]:g})" for name, way in ways.items() if name in config]


def _larger_batch(args, model, loader) -> list[str]:
    """Advice for losses that compare the images of a batch, while there are more images than that."""
    batch = args.train_batch_size * args.world_size
    if model.smallest_eval_batch() == 1 or loader is None:
        return []
    if isinstance(loader.dataset, Sized) and len(loader.dataset) < 2 * batch:
        return []
    return [f"raise per_device_train_batch_size (now {args.per_device_train_batch_size})"]


def _advice(*parts: str) -> str:
    listed = f"{', '.join(parts[:-1])}, or {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"{listed[0].upper()}{listed[1:]}."
