"""How BYOL is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, epochs, photos, small, tiny

_SMALL = small(
    config={
        "pooling": "mean",
        "projection_sizes": [512, 128],
        "prediction_sizes": [512, 128],
        "target_momentum": 0.99,
    },
    **shared.two_views(batch=32),
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 4096, 1000 epochs (arXiv:2006.07733, section 3.3)",
        backbone="resnet-50",
        training=shared.LARS
        | {"base_learning_rate": 0.2, "weight_decay": 1.5e-6}
        | epochs(1000, warmup=10, batch=256),
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, processor=shared.PHOTO_VIEWS),
    "tiny": tiny(config={"projection_sizes": [32, 16], "prediction_sizes": [32, 16]}),
}
