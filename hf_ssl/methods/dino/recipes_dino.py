"""How DINO is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, epochs, photos, small, tiny

_SMALL = small(
    config=shared.SMALL_DISTILLATION,
    processor=shared.SMALL_CROPS,
    training=shared.SMALL_TRAINING | shared.DISTILLATION_TRAINING,
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ViT-S/16, batch 1024, 300 epochs (arXiv:2104.14294, official run)",
        config={"norm_last_layer": False},
        training=shared.DISTILLATION_TRAINING
        | {"base_learning_rate": 5e-4, "final_weight_decay": 0.4}
        | epochs(300, warmup=10, batch=64),
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, backbone=_SMALL.backbone, processor=shared.PHOTO_CROPS),
    "tiny": tiny(config={"head_sizes": [32, 16], "num_prototypes": 64}, processor=shared.TINY_CROPS),
}
