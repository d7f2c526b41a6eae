"""Checkpoints of https://github.com/vturrisi/solo-learn, new and old, and of https://github.com/lucidrains/byol-pytorch."""

from torch import nn

from .parts import drawn, mlp, prefixed, tree
from .release import IMAGES, Official, prediction, target_projection
from .resnet import ResNet


def byol_outputs(net, head, predictor, target, target_head):
    return {
        "prediction": (predictor(head(net.embed(IMAGES))), prediction),
        "target": (target_head(target.embed(IMAGES)), target_projection),
    }


def byol_solo_learn():
    net = drawn(
        tree(
            backbone=ResNet(bottleneck=False),
            classifier=nn.Linear(64, 10),
            projector=mlp(64, 32, 12, norm=True),
            predictor=mlp(12, 32, 12, norm=True),
            momentum_backbone=ResNet(bottleneck=False),
            momentum_projector=mlp(64, 32, 12, norm=True),
        ),
        1,
    )
    parts = (net.backbone, net.projector, net.predictor, net.momentum_backbone, net.momentum_projector)
    return Official(
        "byol",
        {"epoch": 9, "global_step": 90, "pytorch-lightning_version": "1.5", "state_dict": prefixed("", net)},
        net.backbone.embed,
        byol_outputs(*parts),
    )


def byol_old_solo_learn():
    new = byol_solo_learn()
    state = {name.replace("backbone.", "encoder."): t for name, t in new.checkpoint["state_dict"].items()}
    return Official("byol", new.checkpoint | {"state_dict": state}, new.embed, new.outputs)


def byol_lucidrains():
    def network():
        return tree(net=ResNet(fc=nn.Linear(256, 10)), projector=mlp(256, 32, 12, norm=True))

    net = drawn(
        tree(online_encoder=network(), target_encoder=network(), online_predictor=mlp(12, 32, 12, norm=True)), 1
    )
    online, target = net.online_encoder, net.target_encoder
    return Official(
        "byol",
        prefixed("net.", online.net) | prefixed("", net),
        online.net.embed,
        byol_outputs(online.net, online.projector, net.online_predictor, target.net, target.projector),
    )


LAYOUTS = {
    "byol, solo-learn": byol_solo_learn,
    "byol, old solo-learn": byol_old_solo_learn,
    "byol, byol-pytorch": byol_lucidrains,
}
