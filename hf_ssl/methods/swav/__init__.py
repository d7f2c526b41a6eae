from .configuration_swav import SwAVConfig
from .image_processing_swav import SwAVImageProcessor
from .modeling_swav import SwAVForImageClassification, SwAVForPreTraining, SwAVModel
from .recipes_swav import RECIPES

__all__ = [
    "RECIPES",
    "SwAVConfig",
    "SwAVForImageClassification",
    "SwAVForPreTraining",
    "SwAVImageProcessor",
    "SwAVModel",
]
