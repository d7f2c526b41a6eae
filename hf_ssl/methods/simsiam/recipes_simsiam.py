"""How SimSiam is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, epochs, photos, small, tiny

_SMALL = small(
    config={"pooling": "mean", "projection_sizes": [1024, 1024, 1024], "prediction_size": 256},
    **shared.two_views(batch=32),
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 512, 100 epochs (arXiv:2011.10566, section 4)",
        backbone="resnet-50",
        training=shared.SGD | {"base_learning_rate": 0.05} | epochs(100, batch=64),
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, processor=shared.PHOTO_VIEWS),
    "tiny": tiny(config={"projection_sizes": [32, 32, 16], "prediction_size": 8}),
}
