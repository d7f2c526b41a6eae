"""How MoCo v2 is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, epochs, photos, small, tiny

_SMALL = small(
    config=shared.SMALL_QUEUE | {"projection_sizes": [512, 128], "symmetric_loss": True},
    **shared.two_views(batch=32),
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 256, 200 epochs (arXiv:2003.04297, official code)",
        backbone="resnet-50",
        training=shared.SGD | {"base_learning_rate": 0.03} | epochs(200, batch=32),
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, processor=shared.PHOTO_VIEWS),
    "tiny": tiny(config={"projection_sizes": [32, 16], "queue_length": 16}),
}
