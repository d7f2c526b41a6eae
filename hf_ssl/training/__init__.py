"""Training on transformers' Trainer: what self-supervision adds to it."""

from .arguments import SSLTrainingArguments, merge_arguments
from .batches import fit_batch
from .collators import ViewCollator
from .doctor import Doctor
from .effective import describe
from .optimizers import LARS
from .trainer import SSLTrainer

__all__ = [
    "LARS",
    "Doctor",
    "SSLTrainer",
    "SSLTrainingArguments",
    "ViewCollator",
    "describe",
    "fit_batch",
    "merge_arguments",
]
