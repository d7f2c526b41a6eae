"""From a pretraining model to a repository that plain transformers loads."""

from ..loading import PRETRAINING
from .card import build_card, embedding_check, validate_card
from .export import export_pretrained
from .publish import Publication, push_folder, push_model, write_card
from .published_files import published_files
from .repository import open_repository

__all__ = [
    "PRETRAINING",
    "Publication",
    "build_card",
    "embedding_check",
    "export_pretrained",
    "open_repository",
    "published_files",
    "push_folder",
    "push_model",
    "validate_card",
    "write_card",
]
