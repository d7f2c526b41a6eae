from .configuration_mae import MAEConfig
from .image_processing_mae import MAEImageProcessor
from .modeling_mae import MAEForImageClassification, MAEForPreTraining, MAEModel, MAEOutput
from .recipes_mae import RECIPES

__all__ = [
    "RECIPES",
    "MAEConfig",
    "MAEForImageClassification",
    "MAEForPreTraining",
    "MAEImageProcessor",
    "MAEModel",
    "MAEOutput",
]
