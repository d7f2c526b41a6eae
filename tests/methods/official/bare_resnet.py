"""Encoders without heads, which several methods publish alike."""

from .parts import drawn, prefixed
from .release import Official
from .resnet import ResNet


def bare_resnet(method, fresh):
    net = drawn(ResNet(), 1)
    return Official(method, prefixed("", net), net.embed, fresh=fresh, as_well=("barlow_twins", "vicreg", "dino"))
