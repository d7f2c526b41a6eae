"""Checkpoints of three ports to PyTorch: tonylins/simclr-converter, sthalles/SimCLR and Spijkervet/SimCLR."""

from torch import nn

from .parts import drawn, mlp, prefixed, tree
from .release import IMAGES, OPTIMIZER, Official, projection
from .resnet import ResNet


def simclr_converter():
    net = drawn(ResNet(width=16, fc=nn.Linear(512, 10)), 1)
    return Official("simclr", {"state_dict": prefixed("", net)}, net.embed, fresh=["projector"])


def simclr_sthalles():
    net = drawn(ResNet(bottleneck=False, fc=mlp(64, 64, 12)), 1)
    return Official(
        "simclr",
        {"epoch": 100, "arch": "resnet18", "state_dict": prefixed("backbone.", net), "optimizer": OPTIMIZER},
        net.embed,
        {"projection": (net(IMAGES), projection)},
    )


def simclr_spijkervet():
    net = drawn(tree(encoder=ResNet(), projector=mlp(256, 256, 12, hidden_bias=False, last_bias=False)), 1)
    return Official(
        "simclr",
        prefixed("", net),
        net.encoder.embed,
        {"projection": (net.projector(net.encoder(IMAGES)), projection)},
    )


LAYOUTS = {
    "simclr, simclr-converter": simclr_converter,
    "simclr, sthalles": simclr_sthalles,
    "simclr, Spijkervet": simclr_spijkervet,
}
