from .configuration_byol import BYOLConfig
from .image_processing_byol import BYOLImageProcessor
from .modeling_byol import BYOLForImageClassification, BYOLForPreTraining, BYOLModel
from .recipes_byol import RECIPES

__all__ = [
    "RECIPES",
    "BYOLConfig",
    "BYOLForImageClassification",
    "BYOLForPreTraining",
    "BYOLImageProcessor",
    "BYOLModel",
]
