"""MoCo v2 (arXiv:2003.04297)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as MoCoV2ForImageClassification
    from ...modeling_utils import SSLModel as MoCoV2Model
    from .configuration_moco_v2 import MoCoV2Config
    from .image_processing_moco_v2 import MoCoV2ImageProcessor
    from .modeling_moco_v2 import MoCoV2ForPreTraining

__all__ = [
    "MoCoV2Config",
    "MoCoV2ForImageClassification",
    "MoCoV2ForPreTraining",
    "MoCoV2ImageProcessor",
    "MoCoV2Model",
]

register_method(
    name="moco_v2",
    info=MethodInfo(
        title="MoCo v2",
        paper="2003.04297",
        year=2020,
        family="joint embedding",
        idea="contrast with a queue of keys from a momentum encoder",
    ),
    config="configuration_moco_v2:MoCoV2Config",
    pretraining="modeling_moco_v2:MoCoV2ForPreTraining",
    processor="image_processing_moco_v2:MoCoV2ImageProcessor",
    recipes="recipes_moco_v2:RECIPES",
    convert="convert_moco_v2:convert",
)
