"""How CLIP is trained."""

from dataclasses import replace

from ...recipe_utils import PHOTOS, SMALL, TINY, Recipe

_SMALL = Recipe(
    description=SMALL,
    backbone="vit-nano",
    encoder={"layer_norm_eps": 1e-5},
    config={
        "text_config": {
            "hidden_size": 96,
            "intermediate_size": 384,
            "num_hidden_layers": 3,
            "num_attention_heads": 3,
        },
        "projection_dim": 96,
    },
    processor={"vocab_size": 4000, "context_length": 40},
    training={
        "learning_rate": 1e-3,
        "weight_decay": 0.2,
        "adam_beta2": 0.98,
        "adam_epsilon": 1e-6,
        "num_train_epochs": 20,
        "warmup_epochs": 1,
        "per_device_train_batch_size": 128,
        "eval_strategy": "steps",
        "eval_steps": 0.25,
    },
)

RECIPES = {
    "paper": Recipe(
        description="400 million pairs of the web, ViT-B/32, batch 32768 (arXiv:2103.00020, tables 18 to 20)",
        backbone="vit-base",
        encoder={"patch_size": 32, "layer_norm_eps": 1e-5},
        training={
            "learning_rate": 5e-4,
            "weight_decay": 0.2,
            "adam_beta2": 0.98,
            "adam_epsilon": 1e-6,
            "num_train_epochs": 32,
            "warmup_steps": 2000,
            "per_device_train_batch_size": 32768,
        },
    ),
    "small": _SMALL,
    "photos": replace(_SMALL, description=PHOTOS),
    "tiny": Recipe(
        description=TINY,
        backbone="vit-nano",
        config={
            "text_config": {
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
            },
            "projection_dim": 24,
        },
        processor={"vocab_size": 600, "context_length": 32},
    ),
}
