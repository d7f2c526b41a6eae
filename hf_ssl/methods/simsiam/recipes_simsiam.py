"""How SimSiam is trained."""

from dataclasses import replace

from ...recipe_utils import PHOTO_BACKBONE, PHOTO_VIEWS, PHOTOS, SMALL, SMALL_TRAINING, SMALL_VIEWS, TINY, Recipe

_SMALL = Recipe(
    description=SMALL,
    backbone="vit-nano",
    config={"pooling": "mean", "projection_sizes": [1024, 1024, 1024], "prediction_size": 256},
    processor=SMALL_VIEWS,
    training=SMALL_TRAINING | {"per_device_train_batch_size": 32},
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 512, 100 epochs (arXiv:2011.10566, section 4)",
        backbone="resnet-50",
        training={
            "optim": "sgd",
            "optim_args": "momentum=0.9",
            "base_learning_rate": 0.05,
            "weight_decay": 1e-4,
            "num_train_epochs": 100,
            "per_device_train_batch_size": 64,
        },
    ),
    "small": _SMALL,
    "photos": replace(_SMALL, description=PHOTOS, backbone=PHOTO_BACKBONE, processor=PHOTO_VIEWS),
    "tiny": Recipe(
        description=TINY,
        backbone="vit-nano",
        config={"projection_sizes": [32, 32, 16], "prediction_size": 8},
    ),
}
