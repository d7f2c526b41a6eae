"""The values that recipes of several methods share: views, and training arguments."""

from typing import Any

from .recipe_utils import at_most, epochs

# Small images: crops keep their pixels (a quarter of the image, not rescaled), so that texture keeps its scale and a
# view costs a quarter of an image. On photo-patches this is worth 10 points of SimCLR's kNN over rescaled crops.
# Patches and textures have no upright: every quarter turn is as likely.
SMALL_DISTORTIONS = {
    "crop_ratio": [1.0, 1.0],
    "rotate_probability": 0.75,
    "color_jitter": [0.3, 0.3, 0.3, 0.1],
    "blur_probability": 0.0,
    "solarize_probability": 0.0,
}
SMALL_VIEWS = SMALL_DISTORTIONS | {"view_size": lambda size: size // 2, "crop_scale": [0.25, 0.25]}
SMALL_CROPS = SMALL_DISTORTIONS | {
    "global_crop_size": lambda size: size // 2,
    "global_crop_scale": [0.25, 0.25],
    "local_crop_size": lambda size: size // 2,
    "local_crop_scale": [0.25, 0.25],
    "local_crops": 2,
}

# Things: a crop of any size is still a part of the thing, scaled to the view. Views of few pixels are not blurred,
# and colours, which tell things apart where there are few images, are jittered a quarter as much as on ImageNet: on
# 640 drawings worth 6 points of SimCLR's kNN.
PHOTO_DISTORTIONS = {
    "color_jitter": [0.2, 0.2, 0.2, 0.05],
    "blur_probability": lambda size: 0.5 if size > 96 else 0.0,
    "solarize_probability": 0.0,
}
PHOTO_VIEWS = PHOTO_DISTORTIONS | {"crop_scale": [0.2, 1.0]}
PHOTO_CROPS = PHOTO_DISTORTIONS | {
    "global_crop_scale": [0.3, 1.0],
    "local_crop_size": lambda size: max(size // 2 // 16 * 16, 16),
    "local_crop_scale": [0.1, 0.3],
    "local_crops": 2,
}

# For images of 32 pixels.
TINY_CROPS = {"local_crop_size": 16, "local_crops": 2}

SMALL_TRAINING = {
    "learning_rate": 1e-3,
    "weight_decay": 0.05,
    "num_train_epochs": 8,
    "warmup_steps": 0.05,
    "per_device_train_batch_size": 64,
    "eval_strategy": "steps",
    "eval_steps": 0.5,
    "online_knn_images": 2000,
}


def two_views(*, batch: int = 64, **processor: Any) -> dict[str, dict[str, Any]]:
    """`processor` and `training` of a `small` recipe of a method of two views; further attributes of the processor."""
    training = SMALL_TRAINING | {"per_device_train_batch_size": batch}
    return {"processor": SMALL_VIEWS | processor, "training": training}


# An epoch of what sees one view of an image costs less, and more of them are needed.
SMALL_ONE_VIEW_TRAINING = {
    "learning_rate": 1.5e-3,
    "weight_decay": 0.05,
    "eval_strategy": "steps",
    "eval_steps": 0.25,
} | epochs(20, warmup=1, batch=128)

# A short queue: in so short a run the encoder changes fast, and old keys are told apart by their age alone.
SMALL_QUEUE = {"queue_length": at_most(512), "target_momentum": 0.99}

# What the papers that train a ResNet-50 on ImageNet agree on.
SGD = {"optim": "sgd", "optim_args": "momentum=0.9", "weight_decay": 1e-4}
LARS = {"lars": True, "weight_decay": 1e-6}
TO_A_THOUSANDTH = {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr_rate": 0.001}}

# DINO and iBOT. Without BatchNorm in the head the targets of a short run stay those of the random teacher.
DISTILLATION_TRAINING = {"min_learning_rate": 1e-6, "weight_decay": 0.04, "max_parameter_grad_norm": 3.0}
SMALL_DISTILLATION = {
    "head_sizes": [512, 512, 128],
    "head_batch_norm": True,
    "num_prototypes": 512,
    "teacher_momentum": 0.95,
    "teacher_temperature": 0.04,
    "student_drop_path_rate": 0.0,
}
