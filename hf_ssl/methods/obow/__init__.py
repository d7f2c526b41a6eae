from .configuration_obow import OBoWConfig
from .image_processing_obow import OBoWImageProcessor
from .modeling_obow import OBoWForImageClassification, OBoWForPreTraining, OBoWModel, OBoWOutput
from .recipes_obow import RECIPES

__all__ = [
    "RECIPES",
    "OBoWConfig",
    "OBoWForImageClassification",
    "OBoWForPreTraining",
    "OBoWImageProcessor",
    "OBoWModel",
    "OBoWOutput",
]
