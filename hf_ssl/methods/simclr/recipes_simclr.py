"""How SimCLR is trained."""

from dataclasses import replace

from ...recipe_utils import PHOTO_BACKBONE, PHOTO_VIEWS, PHOTOS, SMALL, SMALL_TRAINING, SMALL_VIEWS, TINY, Recipe

_SMALL = Recipe(
    description=SMALL,
    backbone="vit-nano",
    # Half of the spread that the others start from: about 2 points of kNN on photo-patches.
    encoder={"initializer_range": 0.05},
    config={"projection_sizes": [1024, 128], "temperature": 0.15},
    processor=SMALL_VIEWS | {"views_per_image": 4, "crop_scale": [0.17, 0.36]},
    training=SMALL_TRAINING | {"num_train_epochs": 16, "per_device_train_batch_size": 32, "logging_steps": 25},
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 4096 (arXiv:2002.05709, section 2.2): LARS, linear lr scaling",
        backbone="resnet-50",
        training={
            "lars": True,
            "base_learning_rate": 0.3,
            "weight_decay": 1e-6,
            "num_train_epochs": 100,
            "warmup_epochs": 10,
            "per_device_train_batch_size": 256,
        },
    ),
    "small": _SMALL,
    "photos": replace(_SMALL, description=PHOTOS, backbone=PHOTO_BACKBONE, encoder={}, processor=PHOTO_VIEWS),
    "tiny": Recipe(
        description=TINY,
        backbone="vit-nano",
        config={"projection_sizes": [32, 16]},
    ),
}
