"""Checkpoints of https://github.com/facebookresearch/simsiam."""

from torch import nn

from .parts import drawn, mlp, prefixed, tree
from .release import IMAGES, OPTIMIZER, Official, prediction, projection
from .resnet import ResNet


def simsiam():
    head = mlp(256, 256, 256, 24, norm=True, hidden_bias=False, last_norm=nn.BatchNorm1d(24, affine=False))
    net = drawn(tree(encoder=ResNet(fc=head), predictor=mlp(24, 8, 24, norm=True, hidden_bias=False)), 1)
    z = net.encoder(IMAGES)
    return Official(
        "simsiam",
        {"epoch": 100, "arch": "resnet50", "state_dict": prefixed("module.", net), "optimizer": OPTIMIZER},
        net.encoder.embed,
        {
            "projection": (z, projection),
            "prediction": (net.predictor(z), prediction),
        },
    )


LAYOUTS = {
    "simsiam": simsiam,
}
