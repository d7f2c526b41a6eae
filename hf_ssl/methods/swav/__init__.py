"""SwAV (arXiv:2006.09882)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as SwAVForImageClassification
    from ...modeling_utils import SSLModel as SwAVModel
    from .configuration_swav import SwAVConfig
    from .image_processing_swav import SwAVImageProcessor
    from .modeling_swav import SwAVForPreTraining

__all__ = [
    "SwAVConfig",
    "SwAVForImageClassification",
    "SwAVForPreTraining",
    "SwAVImageProcessor",
    "SwAVModel",
]

register_method(
    name="swav",
    info=MethodInfo(
        title="SwAV",
        paper="2006.09882",
        year=2020,
        family="joint embedding",
        idea="swapped assignments between views, balanced over the batch, and multi-crop",
    ),
    config="configuration_swav:SwAVConfig",
    pretraining="modeling_swav:SwAVForPreTraining",
    processor="image_processing_swav:SwAVImageProcessor",
    recipes="recipes_swav:RECIPES",
    convert="convert_swav:convert",
)
