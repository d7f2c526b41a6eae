"""VICReg (arXiv:2105.04906)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as VICRegForImageClassification
    from ...modeling_utils import SSLModel as VICRegModel
    from .configuration_vicreg import VICRegConfig
    from .image_processing_vicreg import VICRegImageProcessor
    from .modeling_vicreg import VICRegForPreTraining

__all__ = [
    "VICRegConfig",
    "VICRegForImageClassification",
    "VICRegForPreTraining",
    "VICRegImageProcessor",
    "VICRegModel",
]

register_method(
    name="vicreg",
    info=MethodInfo(
        title="VICReg",
        paper="2105.04906",
        year=2021,
        family="joint embedding",
        idea="variance, invariance and covariance, each a term of its own",
    ),
    config="configuration_vicreg:VICRegConfig",
    pretraining="modeling_vicreg:VICRegForPreTraining",
    processor="image_processing_vicreg:VICRegImageProcessor",
    recipes="recipes_vicreg:RECIPES",
    convert="convert_vicreg:convert",
)
