"""
Checkpoints of SimCLR for PyTorch; the official ones are for TensorFlow.

Known are those of https://github.com/tonylins/simclr-converter (the official encoders), of
https://github.com/sthalles/SimCLR and of https://github.com/Spijkervet/SimCLR. None of them normalises the images.
"""

from typing import Any

import torch

from ...conversion_utils import Conversion, layer_widths, native_names, resnet_config, state_dict


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """
    `state_dict` with a ResNet and its linear evaluation `fc`, or with `backbone`, a ResNet whose `fc` is the
    projector; or a bare state dict with `encoder` and `projector`. The latter projectors have no BatchNorm.
    """
    tensors = state_dict(checkpoint, "state_dict")
    if "conv1.weight" in tensors:
        if list(checkpoint) != ["state_dict"]:
            raise ValueError("a ResNet without projector, but not in 'state_dict' alone as of simclr-converter")
        source, prefix, head = "tonylins/simclr-converter", "", None
    elif "backbone.conv1.weight" in tensors:
        source, prefix, head = "sthalles/SimCLR", "backbone.", "backbone.fc."
    else:
        source, prefix, head = "Spijkervet/SimCLR", "encoder.", "projector."
    backbone = resnet_config(tensors, prefix)
    config, names = {"backbone_config": backbone}, {"backbone": native_names(backbone, prefix)}
    if head is None:
        return Conversion(
            source=source,
            tensors=tensors,
            config=config,
            names=names,
            ignored=("fc.",),
            processor={"do_normalize": False},
        )
    if source == "Spijkervet/SimCLR":  # its layers have no bias, which is a bias of zero
        for i in (0, 2):
            if f"{head}{i}.weight" in tensors:
                tensors.setdefault(f"{head}{i}.bias", torch.zeros(len(tensors[f"{head}{i}.weight"])))
    return Conversion(
        source=source,
        tensors=tensors,
        config=config
        | {
            "projection_sizes": layer_widths(tensors, head, required=True),
            "projector_batch_norm": False,
            "projector_last_batch_norm": False,
        },
        names=names | {"projector": head},
        required=("backbone", "projector"),
        processor={"do_normalize": False},
    )
