"""iBOT (arXiv:2111.07832)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as IBOTForImageClassification
    from ...modeling_utils import SSLModel as IBOTModel
    from .configuration_ibot import IBOTConfig
    from .image_processing_ibot import IBOTImageProcessor
    from .modeling_ibot import IBOTForPreTraining, IBOTOutput

__all__ = [
    "IBOTConfig",
    "IBOTForImageClassification",
    "IBOTForPreTraining",
    "IBOTImageProcessor",
    "IBOTModel",
    "IBOTOutput",
]

register_method(
    name="ibot",
    info=MethodInfo(
        title="iBOT",
        paper="2111.07832",
        year=2021,
        family="self-distillation",
        idea="a student predicts what a moving-average teacher says of the image and of the patches it does not see",
    ),
    config="configuration_ibot:IBOTConfig",
    pretraining="modeling_ibot:IBOTForPreTraining",
    processor="image_processing_ibot:IBOTImageProcessor",
    recipes="recipes_ibot:RECIPES",
)
