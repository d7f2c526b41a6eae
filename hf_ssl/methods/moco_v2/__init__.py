from .configuration_moco_v2 import MoCoV2Config
from .image_processing_moco_v2 import MoCoV2ImageProcessor
from .modeling_moco_v2 import MoCoV2ForImageClassification, MoCoV2ForPreTraining, MoCoV2Model
from .recipes_moco_v2 import RECIPES

__all__ = [
    "RECIPES",
    "MoCoV2Config",
    "MoCoV2ForImageClassification",
    "MoCoV2ForPreTraining",
    "MoCoV2ImageProcessor",
    "MoCoV2Model",
]
