"""How InfoMin is trained."""

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

_PAPER_TRAINING = {
    "optim": "sgd",
    "optim_args": "momentum=0.9",
    "base_learning_rate": 0.03,
    "min_learning_rate": 3e-5,
    "weight_decay": 1e-4,
    "num_train_epochs": 200,
    "per_device_train_batch_size": 32,
}

_JIGSAW = {"jigsaw_size": lambda size: size, "jigsaw_patch_size": lambda size: max(size // 4, 4)}

# A short queue: in so short a run the encoder changes fast, and old keys are told apart by their age alone.
# The third crop is the whole image, so that patches keep their pixels too; of RandAugment, what keeps texture.
_SMALL = Recipe(
    description=SMALL,
    backbone="vit-nano",
    config={"projection_sizes": [512, 128], "queue_length": at_most(512), "target_momentum": 0.99},
    processor=SMALL_VIEWS
    | _JIGSAW
    | {
        "randaugment_ops": ["autocontrast", "rotate", "contrast", "brightness", "sharpness"],
        "jigsaw_scale": [1.0, 1.0],
    },
    training=SMALL_TRAINING | {"learning_rate": 5e-4, "per_device_train_batch_size": 32},
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 256, 200 epochs (arXiv:2005.10243, official code with --cosine)",
        backbone="resnet-50",
        training=_PAPER_TRAINING,
    ),
    "paper-800": Recipe(
        description="the same, 800 epochs: the paper's best ResNet-50",
        backbone="resnet-50",
        training=_PAPER_TRAINING | {"num_train_epochs": 800},
    ),
    "small": _SMALL,
    "photos": replace(
        _SMALL,
        description=PHOTOS,
        backbone=PHOTO_BACKBONE,
        processor=PHOTO_VIEWS | _JIGSAW | {"jigsaw_scale": [0.6, 1.0]},
    ),
    "tiny": Recipe(
        description=TINY,
        backbone="vit-nano",
        config={"projection_sizes": [32, 16], "queue_length": 16},
        processor={"jigsaw_size": 51, "jigsaw_patch_size": 16},
    ),
}
