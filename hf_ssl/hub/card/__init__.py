"""The model card: what it says, how it is checked."""

from .build import build_card
from .fingerprint import embedding_check
from .validation import validate_card

__all__ = ["build_card", "embedding_check", "validate_card"]
