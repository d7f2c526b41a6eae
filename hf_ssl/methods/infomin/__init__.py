from .configuration_infomin import InfoMinConfig
from .image_processing_infomin import InfoMinImageProcessor
from .modeling_infomin import InfoMinForImageClassification, InfoMinForPreTraining, InfoMinModel
from .recipes_infomin import RECIPES

__all__ = [
    "RECIPES",
    "InfoMinConfig",
    "InfoMinForImageClassification",
    "InfoMinForPreTraining",
    "InfoMinImageProcessor",
    "InfoMinModel",
]
