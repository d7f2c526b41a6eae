"""Objectives that share the passes of an encoder: each names what it reads, and a pass that two name runs once."""

from .distillation import CrossViewDistillation, MaskedPatchDistillation
from .objective import Objective, add_up
from .passes import Pass, Passes, clean, drop, embedding_of, replace

__all__ = [
    "CrossViewDistillation",
    "MaskedPatchDistillation",
    "Objective",
    "Pass",
    "Passes",
    "add_up",
    "clean",
    "drop",
    "embedding_of",
    "replace",
]
