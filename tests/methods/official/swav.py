"""Checkpoints of https://github.com/facebookresearch/swav, SwAV's."""

import torch.nn.functional as F
from torch import nn

from .parts import drawn, mlp, prefixed, tree
from .release import IMAGES, Official, embedding
from .resnet import ResNet


def swav():
    net = drawn(tree(projection_head=mlp(256, 32, 12, norm=True), prototypes=nn.Linear(12, 20, bias=False)), 1)
    backbone = drawn(ResNet(), 2)
    z = F.normalize(net.projection_head(backbone(IMAGES)), dim=1)
    return Official(
        "swav",
        prefixed("module.", backbone) | prefixed("module.", net),
        backbone.embed,
        {
            "scores": (
                net.prototypes(z),
                lambda model, images: model.prototypes(F.normalize(model.projector(embedding(model, images)), dim=1)),
            )
        },
    )


LAYOUTS = {
    "swav": swav,
}
