"""How DeepCluster v2 is trained."""

from ...recipe_utils import SMALL_CROPS, SMALL_TRAINING, Recipe

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 4096, 800 epochs (arXiv:2006.09882, official run; LARS for LARC, "
        "whose rate adaptation of biases and norms is left out)",
        backbone="resnet-50",
        training={
            "lars": True,
            "base_learning_rate": 0.3,
            "min_learning_rate": 0.0048,
            "weight_decay": 1e-6,
            "num_train_epochs": 800,
            "warmup_epochs": 10,
            "per_device_train_batch_size": 64,
        },
    ),
    "small": Recipe(
        description="images up to 64 pixels on a few CPU cores, minutes",
        backbone="vit-nano",
        config={"projection_sizes": [512, 128], "num_prototypes": [256, 256, 256]},
        processor=SMALL_CROPS,
        training=SMALL_TRAINING | {"per_device_train_batch_size": 32},
    ),
}
