"""Official checkpoints of MoCo v2: https://github.com/facebookresearch/moco."""

from typing import Any

from ...conversion_utils import Conversion, native_names, resnet_with_projector, state_dict


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """`encoder_q` and `encoder_k`, each a ResNet whose `fc` is the projector, and a queue with one key in a column."""
    tensors = state_dict(checkpoint, "state_dict")
    backbone, config = resnet_with_projector(tensors, "encoder_q.", "encoder_q.fc.")
    if "queue" in tensors:
        tensors["queue"] = tensors["queue"].t()
        config["queue_length"] = len(tensors["queue"])
    names = {
        "backbone": native_names(backbone, "encoder_q."),
        "projector": "encoder_q.fc.",
        "target.backbone": native_names(backbone, "encoder_k."),
        "target.projector": "encoder_k.fc.",
        "queue.rows": "queue",
        "queue.pointer": "queue_ptr",
    }
    return Conversion(source="facebookresearch/moco", tensors=tensors, config=config, names=names)
