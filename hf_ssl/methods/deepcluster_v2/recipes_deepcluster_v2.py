"""How DeepCluster v2 is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, epochs, photos, small, tiny

_SMALL = small(
    config={"projection_sizes": [512, 128], "num_prototypes": lambda images: [min(256, max(images // 8, 2))] * 3},
    processor=shared.SMALL_CROPS,
    training=shared.SMALL_TRAINING | {"per_device_train_batch_size": 32},
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 4096, 800 epochs (arXiv:2006.09882, official run; LARS for LARC, "
        "whose rate adaptation of biases and norms is left out)",
        backbone="resnet-50",
        training=shared.LARS
        | {"base_learning_rate": 0.3, "min_learning_rate": 0.0048}
        | epochs(800, warmup=10, batch=64),
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, processor=shared.PHOTO_CROPS),
    "tiny": tiny(config={"projection_sizes": [32, 16], "num_prototypes": [8, 6, 7]}, processor=shared.TINY_CROPS),
}
