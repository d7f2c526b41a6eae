"""Official checkpoints of VICReg: https://github.com/facebookresearch/vicreg."""

from typing import Any

from ...conversion_utils import Conversion, layer_widths, native_names, resnet_config, state_dict


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """`model.pth` with `backbone` and `projector` (the expander), or `resnet50.pth` with the bare ResNet."""
    tensors = state_dict(checkpoint, "model")
    whole = "model" in checkpoint
    prefix = "backbone." if whole else ""
    backbone = resnet_config(tensors, prefix)
    config = {"backbone_config": backbone}
    if widths := layer_widths(tensors, "projector."):
        config["projection_sizes"] = widths
    return Conversion(
        source="facebookresearch/vicreg",
        tensors=tensors,
        config=config,
        names={"backbone": native_names(backbone, prefix), "projector": "projector."},
        required=("backbone", "projector") if whole else ("backbone",),
    )
