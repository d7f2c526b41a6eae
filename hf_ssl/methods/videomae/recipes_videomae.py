"""How VideoMAE is trained."""

from ...recipe_utils import TINY, Recipe

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
            "num_train_epochs": 1600,
            "warmup_epochs": 40,
            "per_device_train_batch_size": 32,
        },
    ),
    "small": Recipe(
        description="short clips of 32 pixels or more: minutes on a few CPU cores",
        backbone="vit-nano",
        encoder={"num_frames": 8},
        config={
            "decoder_hidden_size": 48,
            "decoder_num_hidden_layers": 1,
            "decoder_num_attention_heads": 3,
            "decoder_intermediate_size": 192,
            "norm_pix_loss": False,
        },
        processor={"num_frames": 8, "frame_stride": 1, "mask_ratio": 0.75},
        training={
            "learning_rate": 1.5e-3,
            "weight_decay": 0.05,
            "adam_beta2": 0.95,
            "num_train_epochs": 20,
            "warmup_epochs": 1,
            "per_device_train_batch_size": 64,
            "eval_strategy": "steps",
            "eval_steps": 0.25,
        },
    ),
    "tiny": Recipe(
        description=TINY,
        backbone="vit-nano",
        encoder={"num_frames": 4},
        config={
            "decoder_hidden_size": 32,
            "decoder_num_hidden_layers": 1,
            "decoder_num_attention_heads": 2,
            "decoder_intermediate_size": 64,
        },
        processor={"num_frames": 4, "frame_stride": 1, "patch_size": 8, "mask_ratio": 0.75},
    ),
}
