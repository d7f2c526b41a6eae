"""Checkpoints of https://github.com/facebookresearch/dino: student and teacher, and the bare encoders."""

import argparse

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .bare_resnet import bare_resnet
from .parts import drawn, mlp, prefixed, tree
from .release import IMAGES, SMALL, Official
from .resnet import ResNet
from .vision_transformer import VisionTransformer


class DinoHead(nn.Module):
    def __init__(self, dim, prototypes=24, batch_norm=False):
        super().__init__()
        self.mlp = mlp(dim, 20, 20, 12, norm=batch_norm, act=nn.GELU)
        self.last_layer = nn.Module()
        self.last_layer.weight_g = nn.Parameter(torch.ones(prototypes, 1))
        self.last_layer.weight_v = nn.Parameter(torch.zeros(prototypes, 12))

    def forward(self, x):
        v = self.last_layer.weight_v
        weight = self.last_layer.weight_g * v / v.norm(dim=1, keepdim=True)
        return F.linear(F.normalize(self.mlp(x), dim=-1), weight)


def dino(backbone=VisionTransformer, images=SMALL, norm_last_layer=True, batch_norm=False):
    student, teacher = (tree(backbone=(b := backbone()), head=DinoHead(b.dim, 24, batch_norm)) for _ in range(2))
    for seed, network in enumerate((student, teacher)):
        drawn(network, seed)
        if norm_last_layer:
            network.head.last_layer.weight_g.data.fill_(1.0)
    center = torch.randn(1, 24, generator=torch.Generator().manual_seed(3))
    args = argparse.Namespace(
        arch="vit_small", teacher_temp=0.06, norm_last_layer=norm_last_layer, momentum_teacher=0.99, drop_path_rate=0.1
    )
    groups = [{"lr": np.float64(5e-4), "weight_decay": np.float64(0.4), "params": [0]}]
    expected = [n.head(n.backbone.embed(images)) for n in (teacher, student)]
    return Official(
        "dino",
        {
            "student": prefixed("module.", student),
            "teacher": prefixed("module." if batch_norm else "", teacher),  # as the official script wraps them
            "optimizer": {"state": {}, "param_groups": groups},
            "epoch": 300,
            "args": args,
            "dino_loss": {"center": center},
            "fp16_scaler": {"scale": 1024.0},
        },
        teacher.backbone.embed,
        {
            "teacher": (expected[0], lambda model, images: model._project(model, [images[:, None]])[0][:, 0]),
            "student": (
                expected[1],
                lambda model, images: model._project(model.student.eval(), [images[:, None]])[0][:, 0],
            ),
            "center": (center[0], lambda model, images: model.center),
        },
        config={
            "teacher_temperature": 0.06,
            "teacher_momentum": 0.99,
            "norm_last_layer": norm_last_layer,
            "head_batch_norm": batch_norm,
        },
        size=32 if images is SMALL else 224,
    )


def bare_vit():
    net = drawn(VisionTransformer(), 1)
    checkpoint = prefixed("", net)
    return Official("dino", checkpoint, net.embed, fresh=["center", "head", "student"], size=32)


LAYOUTS = {
    "dino": dino,
    "dino, learnt norms": lambda: dino(norm_last_layer=False),
    "dino, resnet": lambda: dino(ResNet, IMAGES, batch_norm=True),
    "dino, bare ViT": bare_vit,
    "dino, bare resnet": lambda: bare_resnet("dino", ["center", "head", "student"]),
}
