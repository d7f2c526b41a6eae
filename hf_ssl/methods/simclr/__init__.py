"""SimCLR (arXiv:2002.05709)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as SimCLRForImageClassification
    from ...modeling_utils import SSLModel as SimCLRModel
    from .configuration_simclr import SimCLRConfig
    from .image_processing_simclr import SimCLRImageProcessor
    from .modeling_simclr import SimCLRForPreTraining, SimCLROutput

__all__ = [
    "SimCLRConfig",
    "SimCLRForImageClassification",
    "SimCLRForPreTraining",
    "SimCLRImageProcessor",
    "SimCLRModel",
    "SimCLROutput",
]

register_method(
    name="simclr",
    info=MethodInfo(
        title="SimCLR",
        paper="2002.05709",
        year=2020,
        family="joint embedding",
        idea="pull two views of an image together, push all other images of the batch away",
    ),
    config="configuration_simclr:SimCLRConfig",
    pretraining="modeling_simclr:SimCLRForPreTraining",
    processor="image_processing_simclr:SimCLRImageProcessor",
    recipes="recipes_simclr:RECIPES",
    convert="convert_simclr:convert",
)
