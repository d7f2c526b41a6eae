from .configuration_clip import SSLCLIPConfig
from .image_processing_clip import SSLCLIPImageProcessor
from .modeling_clip import SSLCLIPForImageClassification, SSLCLIPForPreTraining, SSLCLIPModel
from .recipes_clip import RECIPES

__all__ = [
    "RECIPES",
    "SSLCLIPConfig",
    "SSLCLIPForImageClassification",
    "SSLCLIPForPreTraining",
    "SSLCLIPImageProcessor",
    "SSLCLIPModel",
]
