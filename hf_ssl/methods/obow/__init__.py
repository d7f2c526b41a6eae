"""OBoW (arXiv:2012.11552)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as OBoWForImageClassification
    from ...modeling_utils import SSLModel as OBoWModel
    from .configuration_obow import OBoWConfig
    from .image_processing_obow import OBoWImageProcessor
    from .modeling_obow import OBoWForPreTraining, OBoWOutput

__all__ = [
    "OBoWConfig",
    "OBoWForImageClassification",
    "OBoWForPreTraining",
    "OBoWImageProcessor",
    "OBoWModel",
    "OBoWOutput",
]

register_method(
    name="obow",
    info=MethodInfo(
        title="OBoW",
        paper="2012.11552",
        year=2020,
        family="joint embedding",
        idea="predict the bag of visual words that a teacher sees, over a vocabulary that it renews",
    ),
    config="configuration_obow:OBoWConfig",
    pretraining="modeling_obow:OBoWForPreTraining",
    processor="image_processing_obow:OBoWImageProcessor",
    recipes="recipes_obow:RECIPES",
    convert="convert_obow:convert",
)
