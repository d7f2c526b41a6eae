"""How FixMatch is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, photos, small, tiny

# In runs of a thousand steps the paper's average would still hold a part of the first weights, and next to no image
# would reach its threshold.
_SMALL = small(
    config={"unlabelled_per_label": 3, "threshold": 0.8, "ema_momentum": 0.99},
    processor={
        "view_size": lambda size: size // 2,
        "crop_scale": [0.25, 0.25],
        "crop_ratio": [1.0, 1.0],
        "rotate_probability": 0.75,
    },
    training=shared.SMALL_TRAINING,
)

RECIPES = {
    "paper": Recipe(
        description="CIFAR-10, 64 labelled and 448 unlabelled images a step, 2^20 steps (table 4; there a WRN-28-2)",
        backbone="resnet-18",
        training=shared.SGD
        | {
            "optim_args": "momentum=0.9,nesterov=True",
            "learning_rate": 0.03,
            "weight_decay": 5e-4,
            "max_steps": 2**20,
            "per_device_train_batch_size": 512,
        },
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, processor={}),
    "tiny": tiny(config={"unlabelled_per_label": 1, "threshold": 0.5, "ema_momentum": 0.9}),
}
