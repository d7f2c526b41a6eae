"""How BEiT is trained."""

from dataclasses import replace

from ...recipe_utils import PHOTOS, SMALL, TINY, Recipe, at_most

_SMALL = Recipe(
    description=SMALL,
    backbone="vit-nano",
    config={"vocab_size": at_most(256), "tokenizer_patches": 2**15, "drop_path_rate": 0.0},
    # Words of few pixels are mostly shades, which a change of colours would take away.
    processor={
        "crop_scale": [0.25, 1.0],
        "color_jitter": [0.0, 0.0, 0.0, 0.0],
        "min_mask_block": 4,
        "rotate_probability": 0.75,
    },
    training={
        "learning_rate": 1.5e-3,
        "weight_decay": 0.05,
        "num_train_epochs": 20,
        "warmup_epochs": 1,
        "max_grad_norm": 3.0,
        "per_device_train_batch_size": 128,
        "eval_strategy": "steps",
        "eval_steps": 0.25,
    },
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ViT-B/16, batch 2048, 800 epochs (arXiv:2106.08254, table 7, with a plain ViT)",
        backbone="vit-base",
        training={
            "learning_rate": 1.5e-3,
            "min_learning_rate": 1e-5,
            "weight_decay": 0.05,
            "max_grad_norm": 3.0,
            "num_train_epochs": 800,
            "warmup_epochs": 10,
            "per_device_train_batch_size": 128,
        },
    ),
    "small": _SMALL,
    "photos": replace(_SMALL, description=PHOTOS, processor=_SMALL.processor | {"rotate_probability": 0.0}),
    "tiny": Recipe(
        description=TINY,
        backbone="vit-nano",
        config={"vocab_size": 16, "tokenizer_patches": 64},
        processor={"patch_size": 8, "min_mask_block": 2},
    ),
}
