from .configuration_vicreg import VICRegConfig
from .image_processing_vicreg import VICRegImageProcessor
from .modeling_vicreg import VICRegForImageClassification, VICRegForPreTraining, VICRegModel
from .recipes_vicreg import RECIPES

__all__ = [
    "RECIPES",
    "VICRegConfig",
    "VICRegForImageClassification",
    "VICRegForPreTraining",
    "VICRegImageProcessor",
    "VICRegModel",
]
