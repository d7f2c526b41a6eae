from .configuration_deepcluster_v2 import DeepClusterV2Config
from .image_processing_deepcluster_v2 import DeepClusterV2ImageProcessor
from .modeling_deepcluster_v2 import (
    DeepClusterV2ForImageClassification,
    DeepClusterV2ForPreTraining,
    DeepClusterV2Model,
)
from .recipes_deepcluster_v2 import RECIPES

__all__ = [
    "RECIPES",
    "DeepClusterV2Config",
    "DeepClusterV2ForImageClassification",
    "DeepClusterV2ForPreTraining",
    "DeepClusterV2ImageProcessor",
    "DeepClusterV2Model",
]
