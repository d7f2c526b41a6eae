"""Training on transformers' Trainer: what self-supervision adds to it."""

from .arguments import SSLTrainingArguments
from .collators import ViewCollator
from .doctor import Doctor
from .optimizers import LARS
from .trainer import SSLTrainer

__all__ = ["LARS", "Doctor", "SSLTrainer", "SSLTrainingArguments", "ViewCollator"]
