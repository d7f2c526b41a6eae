"""Tiny encoders, models, image processors and batches, with which every method is tested on a CPU in seconds."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from transformers import ConvNextConfig, Dinov2Config, PreTrainedConfig, ResNetConfig, SwinConfig, ViTConfig

from ..configuration_utils import SSLConfig
from ..image_processing_utils import SSLImageProcessor
from ..modeling_utils import SSLPreTrainedModel
from ..registry import get_method

BACKBONES: dict[str, Callable[[], PreTrainedConfig]] = {
    "vit": lambda: ViTConfig(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96, image_size=32, patch_size=8
    ),
    "dinov2": lambda: Dinov2Config(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=3, image_size=32, patch_size=8, mlp_ratio=2
    ),
    "resnet": lambda: ResNetConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic"),
    "swin": lambda: SwinConfig(
        image_size=32, patch_size=2, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4
    ),
    "convnext": lambda: ConvNextConfig(hidden_sizes=[16, 32], depths=[1, 1], num_stages=2),
}
IMAGES = 20  # of the data set that tiny models are trained on


@cache
def backbones_of(method: str) -> tuple[str, ...]:
    """Names of the tiny encoders that the configuration of a method takes."""
    return tuple(name for name, make in BACKBONES.items() if _takes(get_method(method).config_class, make()))


def _takes(config_class: type[SSLConfig], backbone: PreTrainedConfig) -> bool:
    try:
        config_class(backbone_config=backbone)
    except ValueError:
        return False
    return True


def build_model(method: str, backbone: str = "vit", seed: int = 0, **fields: Any) -> SSLPreTrainedModel:
    """
    A tiny `...ForPreTraining` under the recipe "tiny", with every parameter away from its special initial value.

    Args:
        method (`str`): its name.
        backbone (`str`, *optional*, defaults to `"vit"`): one of `BACKBONES`.
        seed (`int`, *optional*, defaults to 0): of the weights.
        fields: of the method's configuration, beside those of the recipe.
    """
    row = get_method(method)
    torch.manual_seed(seed)
    values = row.recipes["tiny"].config_for(IMAGES) | fields
    model = row.pretraining_class(row.config_class(**{**values, "backbone_config": BACKBONES[backbone]()}))
    model.size_for(IMAGES)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return model


def build_processor(method: str, **attributes: Any) -> SSLImageProcessor:
    """The method's image processor for images of 32 pixels under the recipe "tiny", with these `attributes` beside."""
    row = get_method(method)
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    return row.image_processor_class(**{**size, **row.recipes["tiny"].processor_for(32), **attributes})


def build_views(method: str, batch: int = 4, seed: int = 0) -> dict[str, torch.Tensor]:
    """A batch of training views of random images: what `forward` of the method takes."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (batch, 3, 32, 32), generator=generator, dtype=torch.uint8)
    views = dict(build_processor(method).views(image=images, generator=generator))
    columns = {"labels": torch.arange(batch) % 2, "sample_index": torch.arange(batch)}
    return views | {name: columns[name] for name in get_method(method).pretraining_class.data_columns}
