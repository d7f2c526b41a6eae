"""Official checkpoints of InfoMin: https://github.com/HobbitLong/PyContrast."""

from typing import Any

from ...conversion_utils import Conversion, native_names, resnet_with_projector, state_dicts


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """`model` with `encoder`, `head` and `head_jig`, its moving average `model_ema`, and the queue in `contrast`."""
    tensors = state_dicts(checkpoint, "model", "model_ema", "contrast")
    backbone, config = resnet_with_projector(tensors, "model.encoder.", "model.head.")
    config["jigsaw_patches"] = 0
    if "projection_sizes" in config and "model.head_jig.fc2.weight" in tensors:
        config["jigsaw_patches"] = tensors["model.head_jig.fc2.weight"].shape[1] // config["projection_sizes"][-1]
    if "contrast.memory" in tensors:
        config["queue_length"] = len(tensors["contrast.memory"])
    names = {
        "backbone": native_names(backbone, "model.encoder."),
        "projector": "model.head.",
        "jigsaw_projector.patch": "model.head_jig.fc1.",
        "jigsaw_projector.image": "model.head_jig.fc2.",
        "target.backbone": native_names(backbone, "model_ema.encoder."),
        "target.projector": "model_ema.head.",
        "queue.rows": "contrast.memory",
    }
    # Of the average, `head_jig` is left: the keys are whole views.
    return Conversion(
        source="HobbitLong/PyContrast", tensors=tensors, config=config, names=names, ignored=("model_ema.head_jig.",)
    )
