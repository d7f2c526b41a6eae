"""Names for encoders that start from scratch; anything else is a Hub id or a folder."""

from pathlib import Path

from transformers import AutoConfig, PreTrainedConfig

from .configuration_utils import closest

# Width, layers, heads, and the spread of the first weights. The papers' 0.02 suits their widths. At ours it leaves a
# random encoder almost linear in the mean patch, and a method that learns from a random target (BYOL, SimSiam) finds
# nothing there; width ** -0.5 keeps the scale of a layer's input.
_VIT = {
    "vit-nano": (96, 3, 3, 0.1),
    "vit-micro": (192, 6, 3, 0.07),
    "vit-tiny": (192, 12, 3, 0.02),
    "vit-small": (384, 12, 6, 0.02),
    "vit-base": (768, 12, 12, 0.02),
    "vit-large": (1024, 24, 16, 0.02),
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


def patch_size(image_size: int) -> int:
    """Side in pixels of the patches of a ViT: 4 for images of up to 40 pixels, 8 of up to 96, 16 above."""
    return 4 if image_size <= 40 else 8 if image_size <= 96 else 16


def backbone_config(
    name: str, image_size: int, num_channels: int = 3, vit_type: str = "vit"
) -> PreTrainedConfig | None:
    """
    Configuration of a named encoder; `None` when `name` is a folder or a Hub id instead.

    Args:
        name (`str`): one of `BACKBONES`.
        image_size (`int`): side in pixels; the patches of a ViT grow with it, see `patch_size`.
        vit_type (`str`, *optional*, defaults to `"vit"`): which architecture of transformers a ViT is, such as that of
            CLIP's images; it takes what it has a field for.

    Raises:
        ValueError: for a name that is neither, with the nearest known one.
    """
    if name in _VIT:
        width, layers, heads, spread = _VIT[name]
        values = {
            "hidden_size": width,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "intermediate_size": 4 * width,
            "layer_norm_eps": 1e-6,  # of the official SSL code
            "initializer_range": spread,
            "image_size": image_size,
            "patch_size": patch_size(image_size),
            "frequency_stride": patch_size(image_size),  # of spectrograms: patches that do not overlap
            "time_stride": patch_size(image_size),
            "num_channels": num_channels,
        }
        known = AutoConfig.for_model(vit_type).to_dict()
        return AutoConfig.for_model(vit_type, **{field: value for field, value in values.items() if field in known})
    if name in _RESNET:
        return AutoConfig.for_model("resnet", **_RESNET[name], num_channels=num_channels)
    if "/" in name or Path(name).is_dir():
        return None
    raise ValueError(
        f"There is no backbone {name!r}.{closest(name, BACKBONES)} Known: {', '.join(BACKBONES)}, any folder, and any "
        "Hub id such as 'facebook/dinov2-small'."
    )
