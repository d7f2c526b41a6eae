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
    "small": Recipe(
        description="images up to 64 pixels on a few CPU cores, minutes",
        backbone="vit-nano",
        config={
            "head_sizes": [512, 512, 128],
            "num_prototypes": 1024,
            "teacher_momentum": 0.99,
            "teacher_temperature": 0.04,
            "student_drop_path_rate": 0.0,
        },
        processor={
            "local_crop_size": lambda size: size // 2,
            "local_crops": 4,
            "blur_probability": [0.0, 0.0, 0.0],
            "solarize_probability": [0.0, 0.0, 0.0],
        },
        training={
            "learning_rate": 1e-3,
            "min_learning_rate": 1e-6,
            "weight_decay": 0.04,
            "max_parameter_grad_norm": 3.0,
            "num_train_epochs": 30,
            "warmup_epochs": 2,
            "per_device_train_batch_size": 128,
            "eval_strategy": "steps",
            "eval_steps": 0.25,
        },
    ),
}
