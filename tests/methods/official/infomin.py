"""Checkpoints of https://github.com/HobbitLong/PyContrast."""

import torch
from torch import nn

from .parts import drawn, mlp, prefixed, tree
from .release import IMAGES, OPTIMIZER, Official, projection, target_projection
from .resnet import ResNet


def infomin():
    def network(seed):
        jig = tree(fc1=mlp(256, 256, 12), fc2=nn.Linear(9 * 12, 12))
        return drawn(tree(encoder=ResNet(), head=mlp(256, 256, 12), head_jig=jig), seed)

    q, k = network(1), network(2)
    memory = torch.randn(40, 12, generator=torch.Generator().manual_seed(3))
    patches = torch.randn(2, 9, 256, generator=torch.Generator().manual_seed(4))
    return Official(
        "infomin",
        {
            "model": prefixed("module.", q),
            "contrast": {"memory": memory},
            "optimizer": OPTIMIZER,
            "epoch": 800,
            "model_ema": prefixed("", k),
        },
        q.encoder.embed,
        {
            "query": (q.head(q.encoder(IMAGES)), projection),
            "key": (
                k.head(k.encoder(IMAGES)),
                target_projection,
            ),
            "jigsaw": (
                q.head_jig.fc2(q.head_jig.fc1(patches).flatten(1)),
                lambda model, images: model.jigsaw_projector(patches),
            ),
            "queue": (memory, lambda model, images: model.queue.rows),
        },
    )


LAYOUTS = {
    "infomin": infomin,
}
