"""How DeepCluster v2 is trained."""

from dataclasses import replace

from ...recipe_utils import (
    PHOTO_BACKBONE,
    PHOTO_CROPS,
    PHOTOS,
    SMALL,
    SMALL_CROPS,
    SMALL_TRAINING,
    TINY,
    TINY_CROPS,
    Recipe,
)

_SMALL = Recipe(
    description=SMALL,
    backbone="vit-nano",
    config={"projection_sizes": [512, 128], "num_prototypes": lambda images: [min(256, max(images // 8, 2))] * 3},
    processor=SMALL_CROPS,
    training=SMALL_TRAINING | {"per_device_train_batch_size": 32},
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 4096, 800 epochs (arXiv:2006.09882, official run; LARS for LARC, "
        "whose rate adaptation of biases and norms is left out)",
        backbone="resnet-50",
        training={
            "lars": True,
            "base_learning_rate": 0.3,
            "min_learning_rate": 0.0048,
            "weight_decay": 1e-6,
            "num_train_epochs": 800,
            "warmup_epochs": 10,
            "per_device_train_batch_size": 64,
        },
    ),
    "small": _SMALL,
    "photos": replace(_SMALL, description=PHOTOS, backbone=PHOTO_BACKBONE, processor=PHOTO_CROPS),
    "tiny": Recipe(
        description=TINY,
        backbone="vit-nano",
        config={"projection_sizes": [32, 16], "num_prototypes": [8, 6, 7]},
        processor=TINY_CROPS,
    ),
}
