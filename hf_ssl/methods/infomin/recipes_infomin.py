"""How InfoMin is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, epochs, photos, small, tiny

_PAPER_TRAINING = shared.SGD | {"base_learning_rate": 0.03, "min_learning_rate": 3e-5}

_JIGSAW = {"jigsaw_size": lambda size: size, "jigsaw_patch_size": lambda size: max(size // 4, 4)}

# The third crop is the whole image, so that patches keep their pixels too; of RandAugment, what keeps texture.
_SMALL = small(
    config=shared.SMALL_QUEUE | {"projection_sizes": [512, 128]},
    processor=shared.SMALL_VIEWS
    | _JIGSAW
    | {
        "randaugment_ops": ["autocontrast", "rotate", "contrast", "brightness", "sharpness"],
        "jigsaw_scale": [1.0, 1.0],
    },
    training=shared.SMALL_TRAINING | {"learning_rate": 5e-4, "per_device_train_batch_size": 32},
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 256, 200 epochs (arXiv:2005.10243, official code with --cosine)",
        backbone="resnet-50",
        training=_PAPER_TRAINING | epochs(200, batch=32),
    ),
    "paper-800": Recipe(
        description="the same, 800 epochs: the paper's best ResNet-50",
        backbone="resnet-50",
        training=_PAPER_TRAINING | epochs(800, batch=32),
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, processor=shared.PHOTO_VIEWS | _JIGSAW | {"jigsaw_scale": [0.6, 1.0]}),
    "tiny": tiny(
        config={"projection_sizes": [32, 16], "queue_length": 16},
        processor={"jigsaw_size": 51, "jigsaw_patch_size": 16},
    ),
}
