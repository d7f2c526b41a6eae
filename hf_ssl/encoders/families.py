"""Which adapter an architecture has."""

from collections.abc import Mapping
from typing import Any

from transformers import AutoConfig, PreTrainedConfig

from .audio import ASTEncoder
from .base import Encoder
from .beit import BeitEncoder, Data2VecVisionEncoder
from .clip import ClipVisionEncoder, ImageTextEncoder, SiglipVisionEncoder
from .dinov2 import Dinov2Encoder, Dinov2WithRegistersEncoder, Dinov3ViTEncoder
from .fallback import FallbackEncoder, WrapperEncoder
from .hierarchical import ConvNextEncoder, Dinov3ConvNextEncoder, MobileEncoder, PooledMapEncoder, ResNetEncoder
from .swin import FocalNetEncoder, HieraEncoder, SwinEncoder
from .timm import TimmEncoder
from .video import VideoMAEEncoder
from .vit import DeiTEncoder, IJepaEncoder, ViTEncoder, ViTMAEEncoder, ViTMSNEncoder

_FAMILIES = (
    *(ViTEncoder, DeiTEncoder, ViTMSNEncoder, IJepaEncoder, ViTMAEEncoder),
    *(BeitEncoder, Data2VecVisionEncoder),
    *(Dinov2Encoder, Dinov2WithRegistersEncoder, Dinov3ViTEncoder),
    *(ResNetEncoder, ConvNextEncoder, Dinov3ConvNextEncoder, PooledMapEncoder, MobileEncoder),
    *(SwinEncoder, FocalNetEncoder, HieraEncoder),
    *(ClipVisionEncoder, SiglipVisionEncoder),
    *(VideoMAEEncoder, ASTEncoder),
    TimmEncoder,
)
ENCODERS: dict[str, type[Encoder]] = {kind: family for family in _FAMILIES for kind in family.model_types}


def encoder_for(config: PreTrainedConfig | Mapping[str, Any]) -> Encoder:
    """
    The adapter of an architecture, chosen by `model_type`; see [`Encoder`].

    Args:
        config (`PreTrainedConfig` or `dict`): of a native model, of a model of images and texts, or of a model of this
            package, whose encoder is meant.
    """
    if isinstance(config, Mapping):
        config = AutoConfig.for_model(**config)
    if config.model_type in ENCODERS:
        return ENCODERS[config.model_type](config)
    parts = vars(config)
    if isinstance(parts.get("backbone_config"), PreTrainedConfig):
        return WrapperEncoder(config, encoder_for(config.backbone_config))
    if "vision_config" in parts and "text_config" in parts:
        return ImageTextEncoder(config, encoder_for(config.vision_config))
    return FallbackEncoder(config)
