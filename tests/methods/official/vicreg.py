"""Checkpoints of https://github.com/facebookresearch/vicreg."""

from .bare_resnet import bare_resnet
from .parts import drawn, mlp, prefixed, tree
from .release import IMAGES, OPTIMIZER, Official, projection
from .resnet import ResNet


def vicreg():
    net = drawn(tree(backbone=ResNet(width=16), projector=mlp(512, 32, 32, 24, norm=True, last_bias=False)), 1)
    return Official(
        "vicreg",
        {"epoch": 1000, "model": prefixed("module.", net), "optimizer": OPTIMIZER},
        net.backbone.embed,
        {"projection": (net.projector(net.backbone(IMAGES)), projection)},
    )


LAYOUTS = {
    "vicreg": vicreg,
    "vicreg, resnet50.pth": lambda: bare_resnet("vicreg", ["projector"]),
}
