"""DeepCluster v2 (arXiv:2006.09882)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as DeepClusterV2ForImageClassification
    from ...modeling_utils import SSLModel as DeepClusterV2Model
    from .configuration_deepcluster_v2 import DeepClusterV2Config
    from .image_processing_deepcluster_v2 import DeepClusterV2ImageProcessor
    from .modeling_deepcluster_v2 import DeepClusterV2ForPreTraining

__all__ = [
    "DeepClusterV2Config",
    "DeepClusterV2ForImageClassification",
    "DeepClusterV2ForPreTraining",
    "DeepClusterV2ImageProcessor",
    "DeepClusterV2Model",
]

register_method(
    name="deepcluster_v2",
    info=MethodInfo(
        title="DeepCluster v2",
        paper="2006.09882",
        year=2020,
        family="joint embedding",
        idea="predict the cluster of the features of the previous epoch",
    ),
    config="configuration_deepcluster_v2:DeepClusterV2Config",
    pretraining="modeling_deepcluster_v2:DeepClusterV2ForPreTraining",
    processor="image_processing_deepcluster_v2:DeepClusterV2ImageProcessor",
    recipes="recipes_deepcluster_v2:RECIPES",
    convert="convert_deepcluster_v2:convert",
)
