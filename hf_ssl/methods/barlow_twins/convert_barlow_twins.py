"""Official checkpoints of Barlow Twins: https://github.com/facebookresearch/barlowtwins."""

from typing import Any

from ...conversion_utils import Conversion, layer_widths, native_names, resnet_config, state_dict


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """`checkpoint.pth` with `backbone`, `projector` and `bn`, or `resnet50.pth` with the bare ResNet."""
    tensors = state_dict(checkpoint, "model")
    whole = "model" in checkpoint
    prefix = "backbone." if whole else ""
    backbone = resnet_config(tensors, prefix)
    config = {"backbone_config": backbone}
    if widths := layer_widths(tensors, "projector."):
        config["projection_sizes"] = widths
    return Conversion(
        source="facebookresearch/barlowtwins",
        tensors=tensors,
        config=config,
        names={"backbone": native_names(backbone, prefix), "projector": "projector."},
        required=("backbone", "projector") if whole else ("backbone",),
        ignored=("bn.",) if whole else (),  # statistics of the loss's BatchNorm, which training does not use
    )
