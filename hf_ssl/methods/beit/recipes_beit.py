"""How BEiT is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, at_most, epochs, photos, small, tiny

_SMALL = small(
    config={"vocab_size": at_most(256), "tokenizer_patches": 2**15, "drop_path_rate": 0.0},
    # Words of few pixels are mostly shades, which a change of colours would take away.
    processor={
        "crop_scale": [0.25, 1.0],
        "color_jitter": [0.0, 0.0, 0.0, 0.0],
        "min_mask_block": 4,
        "rotate_probability": 0.75,
    },
    training=shared.SMALL_ONE_VIEW_TRAINING | {"max_grad_norm": 3.0},
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ViT-B/16, batch 2048, 800 epochs (arXiv:2106.08254, table 7, with a plain ViT)",
        backbone="vit-base",
        training={"learning_rate": 1.5e-3, "min_learning_rate": 1e-5, "weight_decay": 0.05, "max_grad_norm": 3.0}
        | epochs(800, warmup=10, batch=128),
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, backbone=_SMALL.backbone, processor=_SMALL.processor | {"rotate_probability": 0.0}),
    "tiny": tiny(config={"vocab_size": 16, "tokenizer_patches": 64}, processor={"patch_size": 8, "min_mask_block": 2}),
}
