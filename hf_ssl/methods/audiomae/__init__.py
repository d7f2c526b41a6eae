"""Audio-MAE (arXiv:2207.06405)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as AudioMAEForAudioClassification
    from ...modeling_utils import SSLModel as AudioMAEModel
    from .audio_processing_audiomae import AudioMAEFeatureExtractor
    from .configuration_audiomae import AudioMAEConfig
    from .modeling_audiomae import AudioMAEForPreTraining, AudioMAEOutput

__all__ = [
    "AudioMAEConfig",
    "AudioMAEFeatureExtractor",
    "AudioMAEForAudioClassification",
    "AudioMAEForPreTraining",
    "AudioMAEModel",
    "AudioMAEOutput",
]

register_method(
    name="audiomae",
    info=MethodInfo(
        title="Audio-MAE",
        paper="2207.06405",
        year=2022,
        family="masked images",
        idea="the encoder hears a fifth of a spectrogram, a decoder with local attention fills in the rest",
        modality="audio",
    ),
    config="configuration_audiomae:AudioMAEConfig",
    pretraining="modeling_audiomae:AudioMAEForPreTraining",
    processor="audio_processing_audiomae:AudioMAEFeatureExtractor",
    recipes="recipes_audiomae:RECIPES",
)
