"""How the supervised row is trained."""

from dataclasses import replace

from ...recipe_utils import PHOTO_BACKBONE, PHOTO_VIEWS, PHOTOS, SMALL, SMALL_TRAINING, SMALL_VIEWS, TINY, Recipe

_SMALL = Recipe(
    description=SMALL,
    backbone="vit-nano",
    processor=SMALL_VIEWS | {"views_per_image": 2, "color_jitter_probability": 0.8, "grayscale_probability": 0.2},
    training=SMALL_TRAINING,
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 256, 100 epochs (torchvision's reference, cosine)",
        backbone="resnet-50",
        training={
            "optim": "sgd",
            "optim_args": "momentum=0.9",
            "base_learning_rate": 0.1,
            "weight_decay": 1e-4,
            "num_train_epochs": 100,
            "warmup_epochs": 5,
            "per_device_train_batch_size": 32,
        },
    ),
    "vit": Recipe(
        description="ImageNet, ViT-S/16, batch 1024, 300 epochs (DeiT, arXiv:2012.12877, table 9, without its mixing)",
        backbone="vit-small",
        config={"label_smoothing": 0.1},
        training={
            "base_learning_rate": 2.5e-4,
            "min_learning_rate": 1e-5,
            "weight_decay": 0.05,
            "num_train_epochs": 300,
            "warmup_epochs": 5,
            "per_device_train_batch_size": 128,
        },
    ),
    "small": _SMALL,
    "photos": replace(_SMALL, description=PHOTOS, backbone=PHOTO_BACKBONE, processor=PHOTO_VIEWS),
    "tiny": Recipe(
        description=TINY,
        backbone="vit-nano",
    ),
}
