"""How VideoMAE is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, decoder, epochs, small, tiny

_SHORT_CLIPS = {"frame_stride": 1, "mask_ratio": 0.75}

RECIPES = {
    "paper": Recipe(
        description="Kinetics-400, ViT-B/16, 64 GPUs, batch 2048, 1600 epochs (arXiv:2203.12602, official script)",
        backbone="vit-base",
        training={
            "base_learning_rate": 1.5e-4,
            "lr_scheduler_type": "cosine_with_min_lr",
            "lr_scheduler_kwargs": {"min_lr_rate": 1 / 15},  # 1e-5, scaled with the batch as the other is
            "weight_decay": 0.05,
            "adam_beta2": 0.95,
        }
        | epochs(1600, warmup=40, batch=32),
    ),
    "small": small(
        "short clips of 32 pixels or more: minutes on a few CPU cores",
        encoder={"num_frames": 8},
        config=decoder(48, layers=1, heads=3, inside=192) | {"norm_pix_loss": False},
        processor=_SHORT_CLIPS | {"num_frames": 8},
        training=shared.SMALL_ONE_VIEW_TRAINING | {"adam_beta2": 0.95, "per_device_train_batch_size": 64},
    ),
    "tiny": tiny(
        encoder={"num_frames": 4},
        config=decoder(32, layers=1, heads=2, inside=64),
        processor=_SHORT_CLIPS | {"num_frames": 4, "patch_size": 8},
    ),
}
