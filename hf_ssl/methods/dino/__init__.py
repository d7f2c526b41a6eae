from .configuration_dino import DinoConfig
from .image_processing_dino import DinoImageProcessor
from .modeling_dino import DinoForImageClassification, DinoForPreTraining, DinoModel, DinoOutput
from .recipes_dino import RECIPES

__all__ = [
    "RECIPES",
    "DinoConfig",
    "DinoForImageClassification",
    "DinoForPreTraining",
    "DinoImageProcessor",
    "DinoModel",
    "DinoOutput",
]
