"""How Audio-MAE is trained."""

from ...recipe_utils import TINY, Recipe

RECIPES = {
    "paper": Recipe(
        description="AudioSet-2M, ViT-B/16, 64 GPUs, batch 512, 32 epochs (arXiv:2207.06405, official script)",
        backbone="vit-base",
        training={
            "base_learning_rate": 2e-4,
            "weight_decay": 1e-4,
            "adam_beta2": 0.95,
            "num_train_epochs": 32,
            "warmup_epochs": 3,
            "per_device_train_batch_size": 8,
        },
    ),
    "small": Recipe(
        description="sounds of about a second: minutes on a few CPU cores",
        backbone="vit-nano",
        encoder={"patch_size": 8, "frequency_stride": 8, "time_stride": 8, "max_length": 96, "num_mel_bins": 64},
        config={
            "decoder_hidden_size": 48,
            "decoder_num_hidden_layers": 2,
            "decoder_num_attention_heads": 3,
            "decoder_intermediate_size": 192,
        },
        processor={"roll_share": 0.1, "mean": None, "std": None},
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
        encoder={"patch_size": 8, "frequency_stride": 8, "time_stride": 8, "max_length": 32, "num_mel_bins": 32},
        config={
            "decoder_hidden_size": 32,
            "decoder_num_hidden_layers": 2,
            "decoder_num_attention_heads": 2,
            "decoder_intermediate_size": 64,
        },
        processor={"patch_size": 8},
    ),
}
