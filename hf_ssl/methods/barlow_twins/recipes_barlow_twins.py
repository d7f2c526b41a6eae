"""How Barlow Twins is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, epochs, photos, small, tiny

_SMALL = small(
    config={"projection_sizes": [512, 512], "redundancy_weight": 0.01},
    **shared.two_views(views_per_image=4),
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 2048, 1000 epochs (arXiv:2103.03230, official code)",
        backbone="resnet-50",
        training=shared.LARS
        | shared.TO_A_THOUSANDTH
        | {"base_learning_rate": 0.2, "bias_lr_ratio": 0.0048 / 0.2}
        | epochs(1000, warmup=10, batch=128),
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, processor=shared.PHOTO_VIEWS),
    "tiny": tiny(config={"projection_sizes": [32, 16]}),
}
