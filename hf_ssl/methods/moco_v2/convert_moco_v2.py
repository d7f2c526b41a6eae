"""Official checkpoints of MoCo v2: https://github.com/facebookresearch/moco."""

from typing import Any

from ...conversion_utils import Conversion, layer_widths, native_names, resnet_config, state_dict


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """`encoder_q` and `encoder_k`, each a ResNet whose `fc` is the projector, and a queue with one key in a column."""
    tensors = state_dict(checkpoint, "state_dict")
    backbone = resnet_config(tensors, "encoder_q.")
    config = {"backbone_config": backbone}
    if widths := layer_widths(tensors, "encoder_q.fc."):
        config["projection_sizes"] = widths
    if "queue" in tensors:
        tensors["queue"] = tensors["queue"].t()
        config["queue_length"] = len(tensors["queue"])
    return Conversion(
        source="facebookresearch/moco",
        tensors=tensors,
        config=config,
        names={
            "backbone": native_names(backbone, "encoder_q."),
            "projector": "encoder_q.fc.",
            "target.backbone": native_names(backbone, "encoder_k."),
            "target.projector": "encoder_k.fc.",
            "queue.rows": "queue",
            "queue.pointer": "queue_ptr",
        },
    )
