"""BYOL (arXiv:2006.07733)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as BYOLForImageClassification
    from ...modeling_utils import SSLModel as BYOLModel
    from .configuration_byol import BYOLConfig
    from .image_processing_byol import BYOLImageProcessor
    from .modeling_byol import BYOLForPreTraining

__all__ = [
    "BYOLConfig",
    "BYOLForImageClassification",
    "BYOLForPreTraining",
    "BYOLImageProcessor",
    "BYOLModel",
]

register_method(
    name="byol",
    info=MethodInfo(
        title="BYOL",
        paper="2006.07733",
        year=2020,
        family="self-distillation",
        idea="bootstrap from a moving average of oneself, without negatives",
    ),
    config="configuration_byol:BYOLConfig",
    pretraining="modeling_byol:BYOLForPreTraining",
    processor="image_processing_byol:BYOLImageProcessor",
    recipes="recipes_byol:RECIPES",
    convert="convert_byol:convert",
)
