"""Official checkpoints of Barlow Twins: https://github.com/facebookresearch/barlowtwins."""

from typing import Any

from ...conversion_utils import Conversion, backbone_and_projector


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """`checkpoint.pth` with `backbone`, `projector` and `bn`, or `resnet50.pth` with the bare ResNet."""
    # `bn` holds statistics of the loss's BatchNorm, which training does not use.
    return backbone_and_projector(checkpoint, "facebookresearch/barlowtwins", ignored=("bn.",))
