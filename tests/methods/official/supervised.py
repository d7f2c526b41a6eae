"""Classifiers of torchvision (ResNet), and of timm and DeiT (ViT)."""

from torch import nn

from .parts import drawn, prefixed
from .release import IMAGES, SMALL, Official, embedding
from .resnet import ResNet
from .vision_transformer import VisionTransformer


def supervised_resnet():
    net = drawn(ResNet(bottleneck=False, fc=nn.Linear(64, 10)), 1)
    state = {k: v for k, v in prefixed("", net).items() if "num_batches" not in k}  # as the old files
    outputs = {"logits": (net(IMAGES), lambda model, images: model.classifier(embedding(model, images)))}
    return Official("supervised", state, net.embed, outputs, config={"num_labels": 10})


def supervised_vit():
    net = drawn(VisionTransformer(head=nn.Linear(128, 10)), 1)
    outputs = {"logits": (net(SMALL), lambda model, images: model.classifier(embedding(model, images)))}
    return Official("supervised", {"model": prefixed("", net)}, net.embed, outputs, size=32)


LAYOUTS = {
    "supervised, resnet": supervised_resnet,
    "supervised, ViT": supervised_vit,
}
