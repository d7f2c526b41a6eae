"""How OBoW is trained."""

from dataclasses import replace

from ...recipe_utils import (
    PHOTO_BACKBONE,
    PHOTO_VIEWS,
    PHOTOS,
    SMALL,
    SMALL_TRAINING,
    SMALL_VIEWS,
    TINY,
    TINY_CROPS,
    Recipe,
)

# Crops cover a quarter of the image, as the patches do: those would only be more of the same.
_SMALL = Recipe(
    description=SMALL,
    backbone="vit-nano",
    config={"vocabulary_size": 1024, "kappa": 2.0, "teacher_momentum": 0.95, "border": 0},
    processor={
        "student_crop_size": lambda size: size // 2,
        "student_crop_scale": [0.25, 0.25],
        "student_crops": 4,
        "local_crops": 0,
    }
    | {k: v for k, v in SMALL_VIEWS.items() if k not in ("view_size", "crop_scale")},
    training=SMALL_TRAINING,
)

_PHOTO_CROPS = {
    "student_crop_size": lambda size: max(size // 2 // 16 * 16, 16),
    "student_crop_scale": [0.1, 0.6],
    "student_crops": 4,
    "local_crops": 0,
} | {k: v for k, v in PHOTO_VIEWS.items() if k != "crop_scale"}

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, full version, batch 256, 200 epochs (arXiv:2012.11552, official code)",
        backbone="resnet-50",
        training={
            "optim": "sgd",
            "optim_args": "momentum=0.9",
            "base_learning_rate": 0.03,
            "min_learning_rate": 3e-5,
            "weight_decay": 1e-4,
            "num_train_epochs": 200,
            "warmup_epochs": 10,
            "per_device_train_batch_size": 64,
        },
    ),
    "vanilla": Recipe(
        description="a fifth of ImageNet, ResNet-18, one level and one crop, batch 256, 80 epochs (official code)",
        backbone="resnet-18",
        config={"levels": [-1], "inverse_temperature": 10.0, "kappa": 5.0},
        processor={"student_crops": 1, "local_crops": 0},
        training={
            "optim": "sgd",
            "optim_args": "momentum=0.9",
            "base_learning_rate": 0.05,
            "weight_decay": 5e-4,
            "num_train_epochs": 80,
            "per_device_train_batch_size": 64,
        },
    ),
    "small": _SMALL,
    "photos": replace(_SMALL, description=PHOTOS, backbone=PHOTO_BACKBONE, processor=_PHOTO_CROPS),
    "tiny": Recipe(
        description=TINY,
        backbone="vit-nano",
        config={"vocabulary_size": 64, "kappa": 1.0},
        processor=TINY_CROPS | {"student_crop_size": 16, "local_source_size": 24, "local_jitter": 2},
    ),
}
