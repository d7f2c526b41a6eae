"""VideoMAE (arXiv:2203.12602)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as SSLVideoMAEForVideoClassification
    from ...modeling_utils import SSLModel as SSLVideoMAEModel
    from .configuration_videomae import SSLVideoMAEConfig
    from .modeling_videomae import SSLVideoMAEForPreTraining, SSLVideoMAEOutput
    from .video_processing_videomae import SSLVideoMAEImageProcessor

__all__ = [
    "SSLVideoMAEConfig",
    "SSLVideoMAEForPreTraining",
    "SSLVideoMAEForVideoClassification",
    "SSLVideoMAEImageProcessor",
    "SSLVideoMAEModel",
    "SSLVideoMAEOutput",
]

register_method(
    name="videomae",
    info=MethodInfo(
        title="VideoMAE",
        paper="2203.12602",
        year=2022,
        family="masked images",
        idea="the encoder sees a tenth of each frame, always the same places, and a light decoder paints the rest",
        modality="video",
    ),
    config="configuration_videomae:SSLVideoMAEConfig",
    pretraining="modeling_videomae:SSLVideoMAEForPreTraining",
    processor="video_processing_videomae:SSLVideoMAEImageProcessor",
    recipes="recipes_videomae:RECIPES",
)
