from .configuration_barlow_twins import BarlowTwinsConfig
from .image_processing_barlow_twins import BarlowTwinsImageProcessor
from .modeling_barlow_twins import BarlowTwinsForImageClassification, BarlowTwinsForPreTraining, BarlowTwinsModel
from .recipes_barlow_twins import RECIPES

__all__ = [
    "RECIPES",
    "BarlowTwinsConfig",
    "BarlowTwinsForImageClassification",
    "BarlowTwinsForPreTraining",
    "BarlowTwinsImageProcessor",
    "BarlowTwinsModel",
]
