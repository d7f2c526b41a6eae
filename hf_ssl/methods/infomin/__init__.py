"""InfoMin (arXiv:2005.10243)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as InfoMinForImageClassification
    from ...modeling_utils import SSLModel as InfoMinModel
    from .configuration_infomin import InfoMinConfig
    from .image_processing_infomin import InfoMinImageProcessor
    from .modeling_infomin import InfoMinForPreTraining

__all__ = [
    "InfoMinConfig",
    "InfoMinForImageClassification",
    "InfoMinForPreTraining",
    "InfoMinImageProcessor",
    "InfoMinModel",
]

register_method(
    name="infomin",
    info=MethodInfo(
        title="InfoMin",
        paper="2005.10243",
        year=2020,
        family="joint embedding",
        idea="momentum contrast of views, and of shuffled patches, that share less",
    ),
    config="configuration_infomin:InfoMinConfig",
    pretraining="modeling_infomin:InfoMinForPreTraining",
    processor="image_processing_infomin:InfoMinImageProcessor",
    recipes="recipes_infomin:RECIPES",
    convert="convert_infomin:convert",
)
