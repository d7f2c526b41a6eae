"""How the supervised row is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, epochs, photos, small, tiny

_SMALL = small(
    **shared.two_views(views_per_image=2, color_jitter_probability=0.8, grayscale_probability=0.2),
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 256, 100 epochs (torchvision's reference, cosine)",
        backbone="resnet-50",
        training=shared.SGD | {"base_learning_rate": 0.1} | epochs(100, warmup=5, batch=32),
    ),
    "vit": Recipe(
        description="ImageNet, ViT-S/16, batch 1024, 300 epochs (DeiT, arXiv:2012.12877, table 9, without its mixing)",
        backbone="vit-small",
        config={"label_smoothing": 0.1},
        training={"base_learning_rate": 2.5e-4, "min_learning_rate": 1e-5, "weight_decay": 0.05}
        | epochs(300, warmup=5, batch=128),
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, processor=shared.PHOTO_VIEWS),
    "tiny": tiny(),
}
