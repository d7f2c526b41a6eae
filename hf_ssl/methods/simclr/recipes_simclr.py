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
    "small": Recipe(
        description="32-pixel images on a few CPU cores, minutes",
        backbone="vit-micro",
        config={"projection_sizes": [512, 128], "temperature": 0.2},
        processor={
            "crop_scale": [0.3, 1.0],
            "color_jitter": [0.4, 0.4, 0.4, 0.1],
            "blur_probability": 0.0,
        },
        training={
            "learning_rate": 1e-3,
            "weight_decay": 0.05,
            "num_train_epochs": 40,
            "warmup_epochs": 2,
            "per_device_train_batch_size": 256,
        },
    ),
}
