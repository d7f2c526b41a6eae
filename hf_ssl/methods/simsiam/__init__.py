"""SimSiam (arXiv:2011.10566)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as SimSiamForImageClassification
    from ...modeling_utils import SSLModel as SimSiamModel
    from .configuration_simsiam import SimSiamConfig
    from .image_processing_simsiam import SimSiamImageProcessor
    from .modeling_simsiam import SimSiamForPreTraining

__all__ = [
    "SimSiamConfig",
    "SimSiamForImageClassification",
    "SimSiamForPreTraining",
    "SimSiamImageProcessor",
    "SimSiamModel",
]

register_method(
    name="simsiam",
    info=MethodInfo(
        title="SimSiam",
        paper="2011.10566",
        year=2020,
        family="joint embedding",
        idea="a siamese network that does not collapse, thanks to a stop-gradient",
    ),
    config="configuration_simsiam:SimSiamConfig",
    pretraining="modeling_simsiam:SimSiamForPreTraining",
    processor="image_processing_simsiam:SimSiamImageProcessor",
    recipes="recipes_simsiam:RECIPES",
    convert="convert_simsiam:convert",
)
