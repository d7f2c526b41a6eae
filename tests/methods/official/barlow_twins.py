"""Checkpoints of https://github.com/facebookresearch/barlowtwins."""

from torch import nn

from .bare_resnet import bare_resnet
from .parts import drawn, mlp, prefixed, tree
from .release import IMAGES, OPTIMIZER, Official, projection
from .resnet import ResNet


def barlow_twins():
    head = mlp(256, 32, 32, 24, norm=True, hidden_bias=False, last_bias=False)
    net = drawn(tree(backbone=ResNet(), projector=head, bn=nn.BatchNorm1d(24, affine=False)), 1)
    return Official(
        "barlow_twins",
        {"epoch": 1000, "model": prefixed("module.", net), "optimizer": OPTIMIZER},
        net.backbone.embed,
        {"projection": (head(net.backbone(IMAGES)), projection)},
    )


LAYOUTS = {
    "barlow_twins": barlow_twins,
    "barlow_twins, resnet50.pth": lambda: bare_resnet("barlow_twins", ["projector"]),
}
