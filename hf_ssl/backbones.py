"""Names for encoders that start from scratch; anything else is a Hub id or a folder."""

from pathlib import Path

from transformers import AutoConfig, PreTrainedConfig

from .configuration_utils import closest

_VIT = {
    "vit-nano": (96, 3, 3),
    "vit-micro": (192, 6, 3),
    "vit-tiny": (192, 12, 3),
    "vit-small": (384, 12, 6),
    "vit-base": (768, 12, 12),
    "vit-large": (1024, 24, 16),
}
_RESNET = {
    "resnet-nano": {
        "layer_type": "basic",
        "embedding_size": 32,
        "hidden_sizes": [32, 64, 128, 256],
        "depths": [1, 1, 1, 1],
    },
    "resnet-18": {"layer_type": "basic", "hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2]},
    "resnet-50": {"layer_type": "bottleneck", "hidden_sizes": [256, 512, 1024, 2048], "depths": [3, 4, 6, 3]},
}
BACKBONES = (*_VIT, *_RESNET)


def vit_config(hidden_size: int, num_hidden_layers: int, num_attention_heads: int, **fields) -> PreTrainedConfig:
    """A `ViTConfig` with the usual width ratio of 4 and the norm's epsilon of the official SSL code, 1e-6."""
    return AutoConfig.for_model(
        "vit",
        hidden_size=hidden_size,
        num_hidden_layers=num_hidden_layers,
        num_attention_heads=num_attention_heads,
        **{"intermediate_size": 4 * hidden_size, "layer_norm_eps": 1e-6} | fields,
    )


def backbone_config(name: str, image_size: int, num_channels: int = 3) -> PreTrainedConfig | None:
    """
    Configuration of a named encoder; `None` when `name` is a folder or a Hub id instead.

    Args:
        name (`str`): one of `BACKBONES`.
        image_size (`int`): side in pixels. ViT patches are 4 pixels up to 64 pixels, 16 above.

    Raises:
        ValueError: for a name that is neither, with the nearest known one.
    """
    if name in _VIT:
        patch = 16 if image_size > 64 else 4
        return vit_config(*_VIT[name], image_size=image_size, patch_size=patch, num_channels=num_channels)
    if name in _RESNET:
        return AutoConfig.for_model("resnet", **_RESNET[name], num_channels=num_channels)
    if "/" in name or Path(name).is_dir():
        return None
    raise ValueError(
        f"There is no backbone {name!r}.{closest(name, BACKBONES)} Known: {', '.join(BACKBONES)}, any folder, and any "
        "Hub id such as 'facebook/dinov2-small'."
    )
