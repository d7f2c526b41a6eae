"""CLIP (arXiv:2103.00020)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as SSLCLIPForImageClassification
    from ...modeling_utils import SSLModel as SSLCLIPModel
    from .configuration_clip import SSLCLIPConfig
    from .image_processing_clip import SSLCLIPImageProcessor
    from .modeling_clip import SSLCLIPForPreTraining

__all__ = [
    "SSLCLIPConfig",
    "SSLCLIPForImageClassification",
    "SSLCLIPForPreTraining",
    "SSLCLIPImageProcessor",
    "SSLCLIPModel",
]

register_method(
    name="clip",
    info=MethodInfo(
        title="CLIP",
        paper="2103.00020",
        year=2021,
        family="image-text",
        idea="an image finds its own caption among those of all other images, and a caption its image",
    ),
    config="configuration_clip:SSLCLIPConfig",
    pretraining="modeling_clip:SSLCLIPForPreTraining",
    processor="image_processing_clip:SSLCLIPImageProcessor",
    recipes="recipes_clip:RECIPES",
)
