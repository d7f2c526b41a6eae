"""How DINO is trained."""

from ...configuration_utils import Recipe

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ViT-S/16, batch 1024, 300 epochs (arXiv:2104.14294, official run)",
        backbone="vit-small",
        config={"norm_last_layer": False},
        training={
            "base_learning_rate": 5e-4,
            "min_learning_rate": 1e-6,
            "weight_decay": 0.04,
            "final_weight_decay": 0.4,
            "max_parameter_grad_norm": 3.0,
            "num_train_epochs": 300,
            "warmup_epochs": 10,
            "per_device_train_batch_size": 64,
        },
    ),
    # Crops keep their pixels, as in SimCLR's small recipe. Without BatchNorm in the head the targets of so short a run
    # stay those of the random teacher.
    "small": Recipe(
        description="images up to 64 pixels on a few CPU cores, minutes",
        backbone="vit-nano",
        config={
            "head_sizes": [512, 512, 128],
            "head_batch_norm": True,
            "num_prototypes": 512,
            "teacher_momentum": 0.95,
            "teacher_temperature": 0.04,
            "student_drop_path_rate": 0.0,
        },
        processor={
            "global_crop_size": lambda size: size // 2,
            "global_crop_scale": [0.25, 0.25],
            "local_crop_size": lambda size: size // 2,
            "local_crop_scale": [0.25, 0.25],
            "local_crops": 2,
            "crop_ratio": [1.0, 1.0],
            "color_jitter": [0.3, 0.3, 0.3, 0.1],
            "blur_probability": [0.0, 0.0, 0.0],
            "solarize_probability": [0.0, 0.0, 0.0],
        },
        training={
            "learning_rate": 1e-3,
            "min_learning_rate": 1e-6,
            "weight_decay": 0.04,
            "max_parameter_grad_norm": 3.0,
            "num_train_epochs": 12,
            "warmup_steps": 0.05,
            "per_device_train_batch_size": 128,
            "eval_strategy": "steps",
            "eval_steps": 0.25,
        },
    ),
}
