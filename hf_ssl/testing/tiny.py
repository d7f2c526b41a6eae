"""Tiny encoders, models, image processors and batches, with which every method is tested on a CPU in seconds."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from transformers import (
    ASTConfig,
    CLIPVisionConfig,
    ConvNextConfig,
    Dinov2Config,
    PreTrainedConfig,
    ResNetConfig,
    SwinConfig,
    VideoMAEConfig,
    ViTConfig,
)

from ..configuration_utils import SSLConfig
from ..data import ImageDataset
from ..encoders import Encoder, encoder_for
from ..modeling_utils import SSLPreTrainedModel
from ..processing_utils import SSLProcessorMixin
from ..recipe_utils import merged_fields
from ..registry import get_method

SIZE = 32  # pixels
_WIDTHS: dict[str, Any] = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 96,
}
_PATCHES: dict[str, Any] = {"image_size": SIZE, "patch_size": 8}
# Encoders that any method of images trains.
IMAGE_BACKBONES: dict[str, Callable[[], PreTrainedConfig]] = {
    "vit": lambda: ViTConfig(**_WIDTHS, **_PATCHES),
    "dinov2": lambda: Dinov2Config(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=3, mlp_ratio=2, **_PATCHES
    ),
    "resnet": lambda: ResNetConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic"),
    "swin": lambda: SwinConfig(
        image_size=SIZE, patch_size=2, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4
    ),
    "convnext": lambda: ConvNextConfig(hidden_sizes=[16, 32], depths=[1, 1], num_stages=2),
}
BACKBONES = IMAGE_BACKBONES | {  # the others by their model type
    "clip_vision_model": lambda: CLIPVisionConfig(**_WIDTHS, **_PATCHES),
    "videomae": lambda: VideoMAEConfig(num_frames=4, use_mean_pooling=False, **_WIDTHS, **_PATCHES),
    "audio-spectrogram-transformer": lambda: ASTConfig(
        patch_size=8, frequency_stride=8, time_stride=8, max_length=32, num_mel_bins=32, **_WIDTHS
    ),
}
# Samples of different sizes and lengths, by the key that they stand under.
RAGGED: dict[str, Callable[[], list]] = {
    "image": lambda: [torch.randint(0, 256, (1, 20 + 3 * i, 50), dtype=torch.uint8) for i in range(3)],
    "video": lambda: [torch.randint(0, 256, (3 + 2 * i, 1, 20 + 3 * i, 50), dtype=torch.uint8) for i in range(3)],
    "audio": lambda: [0.1 * torch.randn(3000 + 4000 * i) for i in range(3)],
}
IMAGES = 20  # of the data set that tiny models are trained on


class Examples(ImageDataset):
    """
    A labelled data set of random samples of whatever a processor takes.

    Args:
        processor (`SSLProcessorMixin`): its `example` gives the samples.
        count (`int`, *optional*, defaults to `IMAGES`): of samples.
        seed (`int`, *optional*, defaults to 0): of the samples.
    """

    def __init__(self, processor: SSLProcessorMixin, count: int = IMAGES, seed: int = 0):
        super().__init__([i % 2 for i in range(count)])
        samples = processor.example(SIZE + 4, count, seed)
        self._samples = [{key: values[i] for key, values in samples.items()} for i in range(count)]
        self.captions, self.sample_key = samples.get("text"), processor.sample_keys[0]

    def __len__(self) -> int:
        return len(self._samples)

    def __getitems__(self, indices: list[int]) -> list[dict]:
        found = [(i, self._samples[i]) for i in self._positions(indices)]
        return [sample | {"index": i, "label": int(self.labels[i])} for i, sample in found]

    def subset(self, indices: Sequence[int]) -> "Examples":
        picked = self._picked(indices)
        picked._samples = [self._samples[i] for i in self._positions(indices)]
        return picked


@cache
def backbones_of(method: str) -> tuple[str, ...]:
    """
    Names of the tiny encoders that a method can train: of images those that its configuration takes, else the one that
    its configuration has by default.
    """
    config_class = get_method(method).config_class
    default = config_class.sub_configs_defaults["backbone_config"].model_type
    if default != "vit":
        return (default,)
    return tuple(name for name, make in IMAGE_BACKBONES.items() if _takes(config_class, make()))


def _takes(config_class: type[SSLConfig], backbone: PreTrainedConfig) -> bool:
    try:
        config_class(backbone_config=backbone)
    except ValueError:
        return False
    return True


def encoder_of(method: str, backbone: str | None = None) -> Encoder:
    """The adapter of one of the tiny encoders of a method, by default the first; its `example` gives inputs."""
    return encoder_for(BACKBONES[backbone or backbones_of(method)[0]]())


def build_model(method: str, backbone: str | None = None, seed: int = 0, **fields: Any) -> SSLPreTrainedModel:
    """
    A tiny `...ForPreTraining` under the recipe "tiny", with every parameter away from its special initial value.

    Args:
        method (`str`): its name.
        backbone (`str`, *optional*): one of `backbones_of(method)`, by default the first.
        seed (`int`, *optional*, defaults to 0): of the weights.
        fields: of the method's configuration, beside those of the recipe.
    """
    row = get_method(method)
    torch.manual_seed(seed)
    values = merged_fields(row.recipes["tiny"].config_for(IMAGES), build_processor(method).model_fields()) | fields
    native = BACKBONES[backbone or backbones_of(method)[0]]()
    model = row.pretraining_class(row.config_class(**{**values, "backbone_config": native}))
    model.size_for(IMAGES)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return model


def build_processor(method: str, **attributes: Any) -> SSLProcessorMixin:
    """The method's processor for its first tiny encoder under the recipe "tiny", with these `attributes` beside."""
    row = get_method(method)
    values = row.processor_class.attributes_for(encoder_of(method), SIZE)
    processor = row.processor_class(**{**values, **row.recipes["tiny"].processor_for(SIZE), **attributes})
    processor.settle(Examples(processor))
    return processor


def build_views(method: str, batch: int = 4, seed: int = 0) -> dict[str, torch.Tensor]:
    """A batch of training views of random samples: what `forward` of the method takes."""
    processor, generator = build_processor(method), torch.Generator().manual_seed(seed)
    views = dict(processor.views(generator=generator, **processor.example(SIZE, batch, seed)))
    columns = {"labels": torch.arange(batch) % 2, "sample_index": torch.arange(batch)}
    return views | {name: columns[name] for name in get_method(method).pretraining_class.data_columns}
