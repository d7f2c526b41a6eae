"""From a pretraining model to a repository that plain transformers loads."""

from .card import build_card
from .export import PRETRAINING, export_pretrained, native_encoder, native_image_processor

__all__ = ["PRETRAINING", "build_card", "export_pretrained", "native_encoder", "native_image_processor"]
