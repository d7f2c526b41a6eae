"""How MAE is trained."""

from dataclasses import replace

from ...recipe_utils import PHOTOS, SMALL, TINY, Recipe

_SMALL = Recipe(
    description=SMALL,
    backbone="vit-nano",
    config={
        "decoder_hidden_size": 96,
        "decoder_num_hidden_layers": 2,
        "decoder_num_attention_heads": 3,
        "decoder_intermediate_size": 384,
    },
    processor={"mask_ratio": 0.6},
    training={
        "learning_rate": 1.5e-3,
        "weight_decay": 0.05,
        "adam_beta2": 0.95,
        "num_train_epochs": 20,
        "warmup_epochs": 1,
        "per_device_train_batch_size": 128,
        "eval_strategy": "steps",
        "eval_steps": 0.25,
    },
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ViT-B/16, batch 4096 (arXiv:2111.06377, table 8)",
        backbone="vit-base",
        training={
            "base_learning_rate": 1.5e-4,
            "weight_decay": 0.05,
            "adam_beta2": 0.95,
            "num_train_epochs": 800,
            "warmup_epochs": 40,
            "per_device_train_batch_size": 256,
        },
    ),
    "small": _SMALL,
    "photos": replace(_SMALL, description=PHOTOS),
    "tiny": Recipe(
        description=TINY,
        backbone="vit-nano",
        config={
            "decoder_hidden_size": 32,
            "decoder_num_hidden_layers": 1,
            "decoder_num_attention_heads": 2,
            "decoder_intermediate_size": 64,
        },
        processor={"patch_size": 8},
    ),
}
