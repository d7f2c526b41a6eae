"""FixMatch (arXiv:2001.07685)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as FixMatchForImageClassification
    from ...modeling_utils import SSLModel as FixMatchModel
    from .configuration_fixmatch import FixMatchConfig
    from .image_processing_fixmatch import FixMatchImageProcessor
    from .modeling_fixmatch import FixMatchForPreTraining

__all__ = [
    "FixMatchConfig",
    "FixMatchForImageClassification",
    "FixMatchForPreTraining",
    "FixMatchImageProcessor",
    "FixMatchModel",
]

register_method(
    name="fixmatch",
    info=MethodInfo(
        title="FixMatch",
        paper="2001.07685",
        year=2020,
        family="few labels",
        idea="a few labels, and beside them the classes that the model is sure of under weak distortion",
    ),
    config="configuration_fixmatch:FixMatchConfig",
    pretraining="modeling_fixmatch:FixMatchForPreTraining",
    processor="image_processing_fixmatch:FixMatchImageProcessor",
    recipes="recipes_fixmatch:RECIPES",
)
