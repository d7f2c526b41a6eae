"""How Audio-MAE is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, decoder, epochs, small, tiny

_PATCHES = {"patch_size": 8, "frequency_stride": 8, "time_stride": 8}

RECIPES = {
    "paper": Recipe(
        description="AudioSet-2M, ViT-B/16, 64 GPUs, batch 512, 32 epochs (arXiv:2207.06405, official script)",
        backbone="vit-base",
        training={"base_learning_rate": 2e-4, "weight_decay": 1e-4, "adam_beta2": 0.95}
        | epochs(32, warmup=3, batch=8),
    ),
    "small": small(
        "sounds of about a second: minutes on a few CPU cores",
        encoder=_PATCHES | {"max_length": 96, "num_mel_bins": 64},
        config=decoder(48, layers=2, heads=3, inside=192),
        processor={"roll_share": 0.1, "mean": None, "std": None},
        training=shared.SMALL_ONE_VIEW_TRAINING | {"adam_beta2": 0.95, "per_device_train_batch_size": 64},
    ),
    "tiny": tiny(
        encoder=_PATCHES | {"max_length": 32, "num_mel_bins": 32},
        config=decoder(32, layers=2, heads=2, inside=64),
        processor={"patch_size": 8},
    ),
}
