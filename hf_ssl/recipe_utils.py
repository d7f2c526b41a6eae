"""What a recipe is, and what the recipes for small images share."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """
    One complete set of hyper-parameters of a method, as overrides of the defaults.

    Args:
        description (`str`): where it comes from and what it is for.
        config (`dict`): fields of the method's configuration.
        processor (`dict`): attributes of the method's image processor; a function is given the image size in pixels.
        training (`dict`): fields of `SSLTrainingArguments`.
        backbone (`str`): name of the default encoder, see `hf_ssl/backbones.py`.
        encoder (`dict`): fields of the configuration of `backbone`; of no other encoder.
    """

    description: str
    config: dict[str, Any] = field(default_factory=dict)
    processor: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    backbone: str = "vit-small"
    encoder: dict[str, Any] = field(default_factory=dict)


# Small images: crops keep their pixels (a quarter of the image, not rescaled), so that texture keeps its scale and a
# view costs a quarter of an image. On photo-patches this is worth 10 points of SimCLR's kNN over rescaled crops.
# Patches and textures have no upright: every quarter turn is as likely. For objects, which have one, set it to 0.
SMALL_VIEWS = {
    "view_size": lambda size: size // 2,
    "crop_scale": [0.25, 0.25],
    "crop_ratio": [1.0, 1.0],
    "rotate_probability": 0.75,
    "color_jitter": [0.3, 0.3, 0.3, 0.1],
    "blur_probability": 0.0,
    "solarize_probability": 0.0,
}
SMALL_CROPS = {
    "global_crop_size": lambda size: size // 2,
    "global_crop_scale": [0.25, 0.25],
    "local_crop_size": lambda size: size // 2,
    "local_crop_scale": [0.25, 0.25],
    "local_crops": 2,
} | {k: v for k, v in SMALL_VIEWS.items() if k not in ("view_size", "crop_scale")}
SMALL_TRAINING = {
    "learning_rate": 1e-3,
    "weight_decay": 0.05,
    "num_train_epochs": 8,
    "warmup_steps": 0.05,
    "per_device_train_batch_size": 64,
    "eval_strategy": "steps",
    "eval_steps": 0.5,
    "online_knn_images": 2000,
}
