"""How MAE is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, decoder, epochs, photos, small, tiny

_SMALL = small(
    config=decoder(96, layers=2, heads=3, inside=384),
    processor={"mask_ratio": 0.6},
    training=shared.SMALL_ONE_VIEW_TRAINING | {"adam_beta2": 0.95},
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ViT-B/16, batch 4096 (arXiv:2111.06377, table 8)",
        backbone="vit-base",
        training={"base_learning_rate": 1.5e-4, "weight_decay": 0.05, "adam_beta2": 0.95}
        | epochs(800, warmup=40, batch=256),
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, backbone=_SMALL.backbone),
    "tiny": tiny(config=decoder(32, layers=1, heads=2, inside=64), processor={"patch_size": 8}),
}
