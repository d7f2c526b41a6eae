from .configuration_simclr import SimCLRConfig
from .image_processing_simclr import SimCLRImageProcessor
from .modeling_simclr import SimCLRForImageClassification, SimCLRForPreTraining, SimCLRModel, SimCLROutput
from .recipes_simclr import RECIPES

__all__ = [
    "RECIPES",
    "SimCLRConfig",
    "SimCLRForImageClassification",
    "SimCLRForPreTraining",
    "SimCLRImageProcessor",
    "SimCLRModel",
    "SimCLROutput",
]
