"""Official checkpoints of DeepCluster v2: https://github.com/facebookresearch/swav."""

from typing import Any

import torch

from ...conversion_utils import Conversion, layer_widths, native_names, resnet_config, state_dict


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """A ResNet with `projection_head` and `prototypes`, bare or under `state_dict`; its memory is in other files."""
    tensors = state_dict(checkpoint, "state_dict")
    backbone = resnet_config(tensors)
    heads = [name for i in range(len(tensors)) if (name := f"prototypes.prototypes{i}.weight") in tensors]
    if not heads:
        raise ValueError("missing prototypes.prototypes0.weight")
    prototypes = [tensors.pop(name) for name in heads]
    return Conversion(
        source="facebookresearch/swav",
        tensors=tensors | {"prototypes": torch.cat(prototypes)},
        config={
            "backbone_config": backbone,
            "projection_sizes": layer_widths(tensors, "projection_head.", required=True),
            "num_prototypes": [len(x) for x in prototypes],
        },
        names={
            "backbone": native_names(backbone),
            "projector": "projection_head.",
            "memory.centroids": "prototypes",
        },
        required=("backbone", "projector", "memory.centroids"),
        processor={"image_std": [0.228, 0.224, 0.225]},  # of multicropdataset.py; the usual one begins with 0.229
    )
