"""How iBOT is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, epochs, photos, small, tiny

_SMALL = small(
    config=shared.SMALL_DISTILLATION | {"norm_last_layer": True, "teacher_patch_temperature": 0.04},
    processor=shared.SMALL_CROPS,
    training=shared.SMALL_TRAINING | shared.DISTILLATION_TRAINING,
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ViT-S/16, batch 1024, 800 epochs (arXiv:2111.07832, official run)",
        training=shared.DISTILLATION_TRAINING
        | {"base_learning_rate": 5e-4, "final_weight_decay": 0.4}
        | epochs(800, warmup=10, batch=64),
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, backbone=_SMALL.backbone, processor=shared.PHOTO_CROPS),
    "tiny": tiny(
        config={"head_sizes": [32, 16], "num_prototypes": 64},
        processor=shared.TINY_CROPS | {"patch_size": 8, "mask_ratios": [0.2, 0.4], "mask_ratio_spreads": [0.1, 0.1]},
    ),
}
