"""Official checkpoints of SwAV: https://github.com/facebookresearch/swav."""

from typing import Any

from ...conversion_utils import Conversion, layer_widths, native_names, resnet_config, state_dict


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """A ResNet with `projection_head` and `prototypes`, bare or under `state_dict`; its queue is in other files."""
    tensors = state_dict(checkpoint, "state_dict")
    backbone = resnet_config(tensors)
    config = {
        "backbone_config": backbone,
        "projection_sizes": layer_widths(tensors, "projection_head.", required=True),
    }
    if "prototypes.weight" in tensors:
        config["num_prototypes"] = len(tensors["prototypes.weight"])
    return Conversion(
        source="facebookresearch/swav",
        tensors=tensors,
        config=config,
        names={"backbone": native_names(backbone), "projector": "projection_head.", "prototypes": "prototypes."},
        required=("backbone", "projector", "prototypes"),
        processor={"image_std": [0.228, 0.224, 0.225]},  # of multicropdataset.py; the usual one begins with 0.229
    )
