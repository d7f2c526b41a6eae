"""Official checkpoints of VICReg: https://github.com/facebookresearch/vicreg."""

from typing import Any

from ...conversion_utils import Conversion, backbone_and_projector


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """`model.pth` with `backbone` and `projector` (the expander), or `resnet50.pth` with the bare ResNet."""
    return backbone_and_projector(checkpoint, "facebookresearch/vicreg")
