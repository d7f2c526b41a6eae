"""How BYOL is trained."""

from dataclasses import replace

from ...recipe_utils import PHOTO_BACKBONE, PHOTO_VIEWS, PHOTOS, SMALL, SMALL_TRAINING, SMALL_VIEWS, TINY, Recipe

_SMALL = Recipe(
    description=SMALL,
    backbone="vit-nano",
    config={
        "pooling": "mean",
        "projection_sizes": [512, 128],
        "prediction_sizes": [512, 128],
        "target_momentum": 0.99,
    },
    processor=SMALL_VIEWS,
    training=SMALL_TRAINING | {"per_device_train_batch_size": 32},
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 4096, 1000 epochs (arXiv:2006.07733, section 3.3)",
        backbone="resnet-50",
        training={
            "lars": True,
            "base_learning_rate": 0.2,
            "weight_decay": 1.5e-6,
            "num_train_epochs": 1000,
            "warmup_epochs": 10,
            "per_device_train_batch_size": 256,
        },
    ),
    "small": _SMALL,
    "photos": replace(_SMALL, description=PHOTOS, backbone=PHOTO_BACKBONE, processor=PHOTO_VIEWS),
    "tiny": Recipe(
        description=TINY,
        backbone="vit-nano",
        config={"projection_sizes": [32, 16], "prediction_sizes": [32, 16]},
    ),
}
