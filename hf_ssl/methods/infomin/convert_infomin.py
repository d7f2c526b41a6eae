"""Official checkpoints of InfoMin: https://github.com/HobbitLong/PyContrast."""

from typing import Any

from ...conversion_utils import Conversion, layer_widths, native_names, resnet_config, state_dicts


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """`model` with `encoder`, `head` and `head_jig`, its moving average `model_ema`, and the queue in `contrast`."""
    tensors = state_dicts(checkpoint, "model", "model_ema", "contrast")
    backbone = resnet_config(tensors, "model.encoder.")
    config = {"backbone_config": backbone, "jigsaw_patches": 0}
    if widths := layer_widths(tensors, "model.head."):
        config["projection_sizes"] = widths
        if "model.head_jig.fc2.weight" in tensors:
            config["jigsaw_patches"] = tensors["model.head_jig.fc2.weight"].shape[1] // widths[-1]
    if "contrast.memory" in tensors:
        config["queue_length"] = len(tensors["contrast.memory"])
    return Conversion(
        source="HobbitLong/PyContrast",
        tensors=tensors,
        config=config,
        names={
            "backbone": native_names(backbone, "model.encoder."),
            "projector": "model.head.",
            "jigsaw_projector.patch": "model.head_jig.fc1.",
            "jigsaw_projector.image": "model.head_jig.fc2.",
            "target.backbone": native_names(backbone, "model_ema.encoder."),
            "target.projector": "model_ema.head.",
            "queue.rows": "contrast.memory",
        },
        ignored=("model_ema.head_jig.",),  # the keys are whole views
    )
