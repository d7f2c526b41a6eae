from .configuration_simsiam import SimSiamConfig
from .image_processing_simsiam import SimSiamImageProcessor
from .modeling_simsiam import SimSiamForImageClassification, SimSiamForPreTraining, SimSiamModel
from .recipes_simsiam import RECIPES

__all__ = [
    "RECIPES",
    "SimSiamConfig",
    "SimSiamForImageClassification",
    "SimSiamForPreTraining",
    "SimSiamImageProcessor",
    "SimSiamModel",
]
