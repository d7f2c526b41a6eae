"""How Barlow Twins is trained."""

from dataclasses import replace

from ...recipe_utils import PHOTO_BACKBONE, PHOTO_VIEWS, PHOTOS, SMALL, SMALL_TRAINING, SMALL_VIEWS, TINY, Recipe

_SMALL = Recipe(
    description=SMALL,
    backbone="vit-nano",
    config={"projection_sizes": [512, 512], "redundancy_weight": 0.01},
    processor=SMALL_VIEWS | {"views_per_image": 4},
    training=SMALL_TRAINING,
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 2048, 1000 epochs (arXiv:2103.03230, official code)",
        backbone="resnet-50",
        training={
            "lars": True,
            "base_learning_rate": 0.2,
            "bias_lr_ratio": 0.0048 / 0.2,
            "lr_scheduler_type": "cosine_with_min_lr",
            "lr_scheduler_kwargs": {"min_lr_rate": 0.001},
            "weight_decay": 1e-6,
            "num_train_epochs": 1000,
            "warmup_epochs": 10,
            "per_device_train_batch_size": 128,
        },
    ),
    "small": _SMALL,
    "photos": replace(_SMALL, description=PHOTOS, backbone=PHOTO_BACKBONE, processor=PHOTO_VIEWS),
    "tiny": Recipe(
        description=TINY,
        backbone="vit-nano",
        config={"projection_sizes": [32, 16]},
    ),
}
