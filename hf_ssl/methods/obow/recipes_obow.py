"""How OBoW is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, epochs, photos, small, tiny

# Crops cover a quarter of the image, as the patches do: those would only be more of the same.
_SMALL = small(
    config={"vocabulary_size": 1024, "kappa": 2.0, "teacher_momentum": 0.95, "border": 0},
    processor=shared.SMALL_DISTORTIONS
    | {
        "student_crop_size": lambda size: size // 2,
        "student_crop_scale": [0.25, 0.25],
        "student_crops": 4,
        "local_crops": 0,
    },
    training=shared.SMALL_TRAINING,
)

_PHOTO_CROPS = shared.PHOTO_DISTORTIONS | {
    "student_crop_size": lambda size: max(size // 2 // 16 * 16, 16),
    "student_crop_scale": [0.1, 0.6],
    "student_crops": 4,
    "local_crops": 0,
}

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, full version, batch 256, 200 epochs (arXiv:2012.11552, official code)",
        backbone="resnet-50",
        training=shared.SGD
        | {"base_learning_rate": 0.03, "min_learning_rate": 3e-5}
        | epochs(200, warmup=10, batch=64),
    ),
    "vanilla": Recipe(
        description="a fifth of ImageNet, ResNet-18, one level and one crop, batch 256, 80 epochs (official code)",
        backbone="resnet-18",
        config={"levels": [-1], "inverse_temperature": 10.0, "kappa": 5.0},
        processor={"student_crops": 1, "local_crops": 0},
        training=shared.SGD | {"base_learning_rate": 0.05, "weight_decay": 5e-4} | epochs(80, batch=64),
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, processor=_PHOTO_CROPS),
    "tiny": tiny(
        config={"vocabulary_size": 64, "kappa": 1.0},
        processor=shared.TINY_CROPS | {"student_crop_size": 16, "local_source_size": 24, "local_jitter": 2},
    ),
}
