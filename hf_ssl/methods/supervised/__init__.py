"""Supervised (arXiv:1512.03385)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as SupervisedForImageClassification
    from ...modeling_utils import SSLModel as SupervisedModel
    from .configuration_supervised import SupervisedConfig
    from .image_processing_supervised import SupervisedImageProcessor
    from .modeling_supervised import SupervisedForPreTraining

__all__ = [
    "SupervisedConfig",
    "SupervisedForImageClassification",
    "SupervisedForPreTraining",
    "SupervisedImageProcessor",
    "SupervisedModel",
]

register_method(
    name="supervised",
    info=MethodInfo(
        title="Supervised",
        paper="1512.03385",
        year=2015,
        family="supervised",
        idea="what self-supervision is measured against",
    ),
    config="configuration_supervised:SupervisedConfig",
    pretraining="modeling_supervised:SupervisedForPreTraining",
    processor="image_processing_supervised:SupervisedImageProcessor",
    recipes="recipes_supervised:RECIPES",
    convert="convert_supervised:convert",
)
