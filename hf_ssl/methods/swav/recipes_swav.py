"""How SwAV is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, epochs, photos, small, tiny

_SMALL = small(
    config={
        "projection_sizes": [512, 128],
        "num_prototypes": 64,
        "sinkhorn_epsilon": 0.03,
        "freeze_prototypes_share": 0.02,
    },
    processor=shared.SMALL_CROPS,
    training=shared.SMALL_TRAINING,
)

# The official LARC, without clipping, is LARS but for two things: it divides by |g| + wd |w| in place of |g + wd w|,
# which at this weight decay is the same to 1e-5, and it also adapts and decays biases and norms, which LARS leaves to
# plain SGD.
RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 4096, 400 epochs (arXiv:2006.09882, official run; LARS for LARC, "
        "whose rate adaptation of biases and norms is left out)",
        backbone="resnet-50",
        training=shared.LARS
        | {"base_learning_rate": 0.3, "min_learning_rate": 0.0048}
        | epochs(400, warmup=10, batch=64),
    ),
    "paper-256": Recipe(
        description="ImageNet, ResNet-50, batch 256 with a queue, 400 epochs (arXiv:2006.09882, official run; LARS "
        "for LARC, whose rate adaptation of biases and norms is left out)",
        backbone="resnet-50",
        config={"queue_length": 3840},
        training=shared.LARS | {"base_learning_rate": 0.6, "min_learning_rate": 0.0006} | epochs(400, batch=64),
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, processor=shared.PHOTO_CROPS),
    "tiny": tiny(
        config={"projection_sizes": [32, 16], "num_prototypes": 24, "queue_length": 8, "queue_start_share": 0.0},
        processor=shared.TINY_CROPS,
    ),
}
