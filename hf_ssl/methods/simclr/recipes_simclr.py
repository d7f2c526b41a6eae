"""How SimCLR is trained."""

from ... import recipe_values as shared
from ...recipe_utils import Recipe, epochs, photos, small, tiny

_SMALL = small(
    # Half of the spread that the others start from: about 2 points of kNN on photo-patches.
    encoder={"initializer_range": 0.05},
    config={"projection_sizes": [1024, 128], "temperature": 0.15},
    processor=shared.SMALL_VIEWS | {"views_per_image": 4, "crop_scale": [0.17, 0.36]},
    training=shared.SMALL_TRAINING | {"num_train_epochs": 16, "per_device_train_batch_size": 32, "logging_steps": 25},
)

RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 4096 (arXiv:2002.05709, section 2.2): LARS, linear lr scaling",
        backbone="resnet-50",
        training=shared.LARS | {"base_learning_rate": 0.3} | epochs(100, warmup=10, batch=256),
    ),
    "small": _SMALL,
    "photos": photos(_SMALL, encoder={}, processor=shared.PHOTO_VIEWS),
    "tiny": tiny(config={"projection_sizes": [32, 16]}),
}
