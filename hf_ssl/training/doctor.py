"""The doctor: names a failing run in words while it runs, and says what to do."""

import math

import torch
from transformers import TrainerCallback
from transformers.utils import logging

from ..evaluation import effective_rank
from ..nn.momentum import Twin

logger = logging.get_logger(__name__)

_REMEDIES = {
    "nan": "The loss is {loss}. Lower learning_rate, lengthen warmup_epochs, or set max_grad_norm; "
    "with fp16 use bf16 instead. Training stops here; the last checkpoint is the last sound one.",
    "uniform": "The loss is {loss:.4f}, which is what a uniform output gives ({uniform:.4f}, the logarithm of the "
    "number of candidates): the targets carry no information. Lower teacher_temperature, raise center_momentum, or "
    "lower learning_rate.",
    "rank": "The embeddings use {rank:.1f} of {dim} dimensions (effective rank): the encoder gives nearly the same "
    "answer for every image. Strengthen the views, raise the batch size, lower learning_rate, and check that the "
    "data are not all alike.",
    "teacher": "The teacher has not moved since the last log, although the student is trained: teacher_momentum may "
    "be 1, or the model's after_optimizer_step is not called (use SSLTrainer).",
}


class Doctor(TrainerCallback):
    """
    Checks at every log; each finding is reported once, kept in `findings`, and logged as a warning.

    - `nan`: the loss is not finite; training is stopped.
    - `uniform`: the loss stays, over `patience` logs, within 0.1 % of that of a uniform output.
    - `rank`: the effective rank (arXiv:2210.02885) of recent embeddings is below `min_rank`.
    - `teacher`: no parameter of the momentum network changed between two logs.

    Args:
        patience (`int`, *optional*, defaults to 3): logs in a row before `uniform` and `rank` are reported.
        min_rank (`float`, *optional*, defaults to 2.0)
        window (`int`, *optional*, defaults to 512): recent embeddings that the rank is taken of.
    """

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
        """Effective rank of the remembered embeddings, or `None` when there are fewer than 16."""
        if sum(map(len, self._embeddings)) < 16:
            return None
        return float(effective_rank(torch.cat(self._embeddings)[-self.window :]))

    def on_log(self, args, state, control, model=None, logs=None, **kwargs):
        if not logs or "loss" not in logs:
            return
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            self._report("nan", loss=loss)
            control.should_training_stop = True
            return
        uniform = logs.get("uniform_loss")
        self._persists(
            "uniform", uniform is not None and abs(loss - uniform) < 1e-3 * uniform, loss=loss, uniform=uniform
        )
        if self._embeddings and "embedding_rank" in logs:
            rank = logs["embedding_rank"]
            self._persists("rank", rank < self.min_rank, rank=rank, dim=self._embeddings[-1].shape[-1])
        teacher = self._teacher_state(model)
        if teacher is not None:
            if self._teacher is not None and torch.equal(teacher, self._teacher):
                self._report("teacher")
            self._teacher = teacher

    def _persists(self, name: str, present: bool, **values) -> None:
        self._seen[name] = self._seen[name] + 1 if present else 0
        if self._seen[name] >= self.patience:
            self._report(name, **values)

    def _report(self, name: str, **values) -> None:
        if name not in self.findings:
            self.findings[name] = _REMEDIES[name].format(**values)
            logger.warning(f"Doctor: {self.findings[name]}")

    @staticmethod
    def _teacher_state(model) -> torch.Tensor | None:
        """A copy of some weights of the momentum network, or `None` when the method has none."""
        for name, child in model.named_children():
            if isinstance(child, Twin):
                network = child if name in model.frozen_modules else model.backbone
                return torch.stack([p.detach().double().sum() for p in network.parameters()]).cpu()
        return None
