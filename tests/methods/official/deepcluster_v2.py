"""Checkpoints of https://github.com/facebookresearch/swav, DeepCluster v2's."""

import torch
import torch.nn.functional as F
from torch import nn

from .parts import drawn, mlp, prefixed, tree
from .release import IMAGES, OPTIMIZER, Official, embedding
from .resnet import ResNet


def deepcluster_v2():
    prototypes = tree(**{f"prototypes{i}": nn.Linear(12, k, bias=False) for i, k in enumerate((20, 15, 10))})
    net = drawn(tree(projection_head=mlp(256, 32, 12, norm=True), prototypes=prototypes), 1)
    backbone = drawn(ResNet(), 2)
    z = F.normalize(net.projection_head(backbone(IMAGES)), dim=1)
    scores = torch.cat([head(z) for head in prototypes.children()], dim=1)
    state = prefixed("module.", backbone) | prefixed("module.", net)
    return Official(
        "deepcluster_v2",
        {"epoch": 400, "state_dict": state, "optimizer": OPTIMIZER},
        backbone.embed,
        {
            "scores": (
                scores,
                lambda model, images: (
                    F.normalize(model.projector(embedding(model, images)), dim=1) @ model.memory.centroids.T
                ),
            )
        },
        config={"num_prototypes": [20, 15, 10]},
    )


LAYOUTS = {
    "deepcluster_v2": deepcluster_v2,
}
