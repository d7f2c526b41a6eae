"""How MoCo v2 is trained."""

from dataclasses import replace

from ...recipe_utils import (
    PHOTO_BACKBONE,
    PHOTO_VIEWS,
    PHOTOS,
    SMALL,
    SMALL_TRAINING,
    SMALL_VIEWS,
    TINY,
    Recipe,
    at_most,
)

_SMALL = Recipe(
    description=SMALL,
    backbone="vit-nano",
    config={
        "projection_sizes": [512, 128],
        "queue_length": at_most(512),
        "target_momentum": 0.99,
        "symmetric_loss": True,
    },
    processor=SMALL_VIEWS,
    training=SMALL_TRAINING | {"per_device_train_batch_size": 32},
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 256, 200 epochs (arXiv:2003.04297, official code)",
        backbone="resnet-50",
        training={
            "optim": "sgd",
            "optim_args": "momentum=0.9",
            "base_learning_rate": 0.03,
            "weight_decay": 1e-4,
            "num_train_epochs": 200,
            "per_device_train_batch_size": 32,
        },
    ),
    "small": _SMALL,
    "photos": replace(_SMALL, description=PHOTOS, backbone=PHOTO_BACKBONE, processor=PHOTO_VIEWS),
    "tiny": Recipe(
        description=TINY,
        backbone="vit-nano",
        config={"projection_sizes": [32, 16], "queue_length": 16},
    ),
}
