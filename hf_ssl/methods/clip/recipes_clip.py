"""How CLIP is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, photos, small, tiny

_ADAM = {"weight_decay": 0.2, "adam_beta2": 0.98, "adam_epsilon": 1e-6}

_SMALL = small(
    encoder={"layer_norm_eps": 1e-5},
    config={
        "text_config": {"hidden_size": 96, "intermediate_size": 384, "num_hidden_layers": 3, "num_attention_heads": 3},
        "projection_dim": 96,
    },
    processor={"vocab_size": 4000, "context_length": 40},
    training=shared.SMALL_ONE_VIEW_TRAINING | _ADAM | {"learning_rate": 1e-3},
)

RECIPES = {
    "paper": Recipe(
        description="400 million pairs of the web, ViT-B/32, batch 32768 (arXiv:2103.00020, tables 18 to 20)",
        backbone="vit-base",
        encoder={"patch_size": 32, "layer_norm_eps": 1e-5},
        training=_ADAM
        | {
            "learning_rate": 5e-4,
            "num_train_epochs": 32,
            "warmup_steps": 2000,
            "per_device_train_batch_size": 32768,
        },
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, backbone=_SMALL.backbone),
    "tiny": tiny(
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
