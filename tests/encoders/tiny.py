"""The smallest configuration of every family, and a size in pixels that it takes."""

from transformers import AutoConfig

_TOKENS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_VIT = _TOKENS | {"image_size": 32, "patch_size": 8}
_STAGES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
_SWIN = {"embed_dim": 8, "depths": [2, 2], "num_heads": [1, 2], "window_size": 4, "image_size": 32, "patch_size": 2}
_RELATIVE = {"use_relative_position_bias": True}
_MOBILE_VIT = {"hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8, 8, 16, 24, 32, 32, 48], "image_size": 64}
_FOCAL = {"focal_levels": [1, 1], "focal_windows": [3, 3], "hidden_sizes": [8, 16], "depths": [1, 1]}

# Name -> model_type, fields, and the size of images.
FAMILIES = {
    "vit": ("vit", _VIT, 32),
    "deit": ("deit", _VIT, 32),
    "beit": ("beit", _VIT | {"use_absolute_position_embeddings": True, "layer_scale_init_value": 0.0}, 32),
    "beit with CLS and biases": ("beit", _VIT | _RELATIVE | {"use_mean_pooling": False}, 32),
    "beit with a shared bias": ("beit", _VIT | {"use_shared_relative_position_bias": True}, 32),
    "dinov2": ("dinov2", _VIT, 32),
    "dinov2 with registers": ("dinov2_with_registers", _VIT, 32),
    "dinov3": ("dinov3_vit", _VIT | {"num_register_tokens": 4}, 32),
    "dinov3 convnext": ("dinov3_convnext", _STAGES, 64),
    "vit_msn": ("vit_msn", _VIT, 32),
    "ijepa": ("ijepa", _VIT, 32),
    "data2vec": ("data2vec-vision", _VIT | {"use_shared_relative_position_bias": True}, 32),
    "vit_mae": ("vit_mae", _VIT, 32),
    "swin": ("swin", _SWIN, 32),
    "swinv2": ("swinv2", _SWIN, 32),
    "convnext": ("convnext", _STAGES, 64),
    "convnextv2": ("convnextv2", _STAGES, 64),
    "resnet": ("resnet", _STAGES | {"embedding_size": 8, "layer_type": "basic"}, 64),
    "regnet": ("regnet", _STAGES | {"embedding_size": 8, "groups_width": 8}, 64),
    # Its convolutions are so narrow that the usual first weights would leave nothing of the image.
    "efficientnet": (
        "efficientnet",
        {"width_coefficient": 0.25, "depth_coefficient": 0.2, "hidden_dim": 320, "initializer_range": 0.3}
        | {"image_size": 64},
        64,
    ),
    "mobilenet_v1": ("mobilenet_v1", {"depth_multiplier": 0.25, "image_size": 64}, 64),
    "mobilenet_v2": ("mobilenet_v2", {"depth_multiplier": 0.35, "image_size": 64}, 64),
    "mobilevit": ("mobilevit", _MOBILE_VIT, 64),
    "pvt_v2": ("pvt_v2", _STAGES | {"num_attention_heads": [1, 1, 1, 2]}, 64),
    "poolformer": ("poolformer", _STAGES, 64),
    "hiera": ("hiera", {"embed_dim": 8, "depths": [1] * 4, "image_size": [64, 64], "num_heads": [1, 1, 2, 2]}, 64),
    "focalnet": ("focalnet", _FOCAL | {"embed_dim": 8, "image_size": 32, "patch_size": 4}, 32),
    "clip": ("clip_vision_model", _VIT, 32),
    "siglip": ("siglip_vision_model", _VIT, 32),
    "siglip without head": ("siglip_vision_model", _VIT | {"vision_use_head": False}, 32),
}
# Whose layers all see the same tokens.
PLAIN = [name for name, (_, fields, _) in FAMILIES.items() if "num_hidden_layers" in fields]
MASKED = [name for name in PLAIN if "lip" not in name] + ["swin", "swinv2", "focalnet"]


def config_of(name: str, **fields):
    kind, own, _ = FAMILIES[name]
    return AutoConfig.for_model(kind, **(own | fields))
