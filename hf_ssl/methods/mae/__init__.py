"""MAE (arXiv:2111.06377)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as MAEForImageClassification
    from ...modeling_utils import SSLModel as MAEModel
    from .configuration_mae import MAEConfig
    from .image_processing_mae import MAEImageProcessor
    from .modeling_mae import MAEForPreTraining, MAEOutput

__all__ = [
    "MAEConfig",
    "MAEForImageClassification",
    "MAEForPreTraining",
    "MAEImageProcessor",
    "MAEModel",
    "MAEOutput",
]

register_method(
    name="mae",
    info=MethodInfo(
        title="MAE",
        paper="2111.06377",
        year=2021,
        family="masked images",
        idea="the encoder sees a quarter of the patches, a light decoder paints the rest",
    ),
    config="configuration_mae:MAEConfig",
    pretraining="modeling_mae:MAEForPreTraining",
    processor="image_processing_mae:MAEImageProcessor",
    recipes="recipes_mae:RECIPES",
    convert="convert_mae:convert",
)
