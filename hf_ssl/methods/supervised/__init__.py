from .configuration_supervised import SupervisedConfig
from .image_processing_supervised import SupervisedImageProcessor
from .modeling_supervised import SupervisedForImageClassification, SupervisedForPreTraining, SupervisedModel
from .recipes_supervised import RECIPES

__all__ = [
    "RECIPES",
    "SupervisedConfig",
    "SupervisedForImageClassification",
    "SupervisedForPreTraining",
    "SupervisedImageProcessor",
    "SupervisedModel",
]
