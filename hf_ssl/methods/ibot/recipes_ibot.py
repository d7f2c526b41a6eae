"""How iBOT is trained."""

from dataclasses import replace

from ...recipe_utils import PHOTO_CROPS, PHOTOS, SMALL, SMALL_CROPS, SMALL_TRAINING, TINY, TINY_CROPS, Recipe

# As DINO's: without BatchNorm in the head the targets of so short a run stay those of the random teacher.
_SMALL = Recipe(
    description=SMALL,
    backbone="vit-nano",
    config={
        "head_sizes": [512, 512, 128],
        "head_batch_norm": True,
        "norm_last_layer": True,
        "num_prototypes": 512,
        "teacher_momentum": 0.95,
        "teacher_temperature": 0.04,
        "teacher_patch_temperature": 0.04,
        "student_drop_path_rate": 0.0,
    },
    processor=SMALL_CROPS,
    training=SMALL_TRAINING | {"min_learning_rate": 1e-6, "weight_decay": 0.04, "max_parameter_grad_norm": 3.0},
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ViT-S/16, batch 1024, 800 epochs (arXiv:2111.07832, official run)",
        backbone="vit-small",
        training={
            "base_learning_rate": 5e-4,
            "min_learning_rate": 1e-6,
            "weight_decay": 0.04,
            "final_weight_decay": 0.4,
            "max_parameter_grad_norm": 3.0,
            "num_train_epochs": 800,
            "warmup_epochs": 10,
            "per_device_train_batch_size": 64,
        },
    ),
    "small": _SMALL,
    "photos": replace(_SMALL, description=PHOTOS, processor=PHOTO_CROPS),
    "tiny": Recipe(
        description=TINY,
        backbone="vit-nano",
        config={"head_sizes": [32, 16], "num_prototypes": 64},
        processor=TINY_CROPS | {"patch_size": 8, "mask_ratios": [0.2, 0.4], "mask_ratio_spreads": [0.1, 0.1]},
    ),
}
