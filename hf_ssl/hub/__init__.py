"""From a pretraining model to a repository that plain transformers loads."""

from .export import export_pretrained, native_encoder, native_image_processor

__all__ = ["export_pretrained", "native_encoder", "native_image_processor"]
