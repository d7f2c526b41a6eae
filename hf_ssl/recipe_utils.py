"""What a recipe is, and what the recipes for a few cores share."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """
    One complete set of hyper-parameters of a method, as overrides of the defaults.

    Args:
        description (`str`): where it comes from and what it is for.
        config (`dict`): fields of the method's configuration; a function is given the number of training images.
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

    def config_for(self, images: int | None) -> dict[str, Any]:
        """`config` for so many training images; `None` where nobody knows, as of a stream."""
        many = 2**30 if images is None else images
        return {name: value(many) if callable(value) else value for name, value in self.config.items()}

    def processor_for(self, image_size: int) -> dict[str, Any]:
        """`processor` for images of this side in pixels."""
        return {name: value(image_size) if callable(value) else value for name, value in self.processor.items()}


def merged_fields(values: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """`values | more`, and the same one level down where both hold a dict, as of the configuration of an encoder."""
    both = {name: values[name] | more[name] for name in values.keys() & more.keys() if isinstance(more[name], dict)}
    return values | more | both


SMALL = "patches and textures, which have no upright: minutes on a few CPU cores"
TINY = "to see in seconds that everything works; the settings of the tests, which learn nothing"
PHOTOS = "photographs and drawings of things, which have an upright: minutes on a few CPU cores"

# Small images: crops keep their pixels (a quarter of the image, not rescaled), so that texture keeps its scale and a
# view costs a quarter of an image. On photo-patches this is worth 10 points of SimCLR's kNN over rescaled crops.
# Patches and textures have no upright: every quarter turn is as likely.
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

# Things: a crop of any size is still a part of the thing, scaled to the view. Views of few pixels are not blurred,
# and colours, which tell things apart where there are few images, are jittered a quarter as much as on ImageNet: on
# 640 drawings worth 6 points of SimCLR's kNN. There a small ResNet is ahead of a small ViT by 2 points, and by 7 of
# the linear probe.
PHOTO_BACKBONE = "resnet-nano"
PHOTO_VIEWS = {
    "crop_scale": [0.2, 1.0],
    "color_jitter": [0.2, 0.2, 0.2, 0.05],
    "blur_probability": lambda size: 0.5 if size > 96 else 0.0,
    "solarize_probability": 0.0,
}
PHOTO_CROPS = PHOTO_VIEWS | {
    "global_crop_scale": [0.3, 1.0],
    "local_crop_size": lambda size: max(size // 2 // 16 * 16, 16),
    "local_crop_scale": [0.1, 0.3],
    "local_crops": 2,
}
del PHOTO_CROPS["crop_scale"]

# For images of 32 pixels.
TINY_CROPS = {"local_crop_size": 16, "local_crops": 2}

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


def at_most(value: int):
    """A field that may not be above the number of training images: a power of two up to `value`."""
    return lambda images: min(value, 2 ** max(images.bit_length() - 1, 1))
