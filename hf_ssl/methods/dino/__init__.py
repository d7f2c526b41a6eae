"""DINO (arXiv:2104.14294)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as DinoForImageClassification
    from ...modeling_utils import SSLModel as DinoModel
    from .configuration_dino import DinoConfig
    from .image_processing_dino import DinoImageProcessor
    from .modeling_dino import DinoForPreTraining, DinoOutput

__all__ = [
    "DinoConfig",
    "DinoForImageClassification",
    "DinoForPreTraining",
    "DinoImageProcessor",
    "DinoModel",
    "DinoOutput",
]

register_method(
    name="dino",
    info=MethodInfo(
        title="DINO",
        paper="2104.14294",
        year=2021,
        family="self-distillation",
        idea="self-distillation with no labels, from a moving-average teacher, over many crops",
    ),
    config="configuration_dino:DinoConfig",
    pretraining="modeling_dino:DinoForPreTraining",
    processor="image_processing_dino:DinoImageProcessor",
    recipes="recipes_dino:RECIPES",
    convert="convert_dino:convert",
)
