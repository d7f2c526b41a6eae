"""How SimCLR is trained."""

from ...configuration_utils import Recipe

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 4096 (arXiv:2002.05709, section 2.2): LARS, linear lr scaling",
        backbone="resnet-50",
        training={
            "lars": True,
            "base_learning_rate": 0.3,
            "weight_decay": 1e-6,
            "num_train_epochs": 100,
            "warmup_epochs": 10,
            "per_device_train_batch_size": 256,
        },
    ),
    # Small images: crops keep their pixels (a quarter of the image, not rescaled), so that texture keeps its scale and
    # a view costs a quarter of an image. On photo-patches this is worth 10 points of kNN over rescaled crops.
    "small": Recipe(
        description="images up to 64 pixels on a few CPU cores, minutes",
        backbone="vit-nano",
        config={"projection_sizes": [512, 128], "temperature": 0.15},
        processor={
            "view_size": lambda size: size // 2,
            "views_per_image": 4,
            "crop_scale": [0.25, 0.25],
            "crop_ratio": [1.0, 1.0],
            "color_jitter": [0.3, 0.3, 0.3, 0.1],
            "blur_probability": 0.0,
        },
        training={
            "learning_rate": 1e-3,
            "weight_decay": 0.05,
            "num_train_epochs": 8,
            "warmup_steps": 0.05,
            "per_device_train_batch_size": 128,
            "eval_strategy": "steps",
            "eval_steps": 0.25,
        },
    ),
}
