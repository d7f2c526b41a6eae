"""Checkpoints of https://github.com/valeoai/obow: whole, the student alone, and in torchvision's names."""

import torch
import torch.nn.functional as F
from torch import nn

from .parts import drawn, prefixed, tree
from .release import IMAGES, Official, embedding
from .resnet import ResNet


def obow_blocks(net: ResNet) -> nn.Module:
    stem = tree(Conv=net.conv1, bn=net.bn1)
    return tree(_feature_blocks=nn.ModuleList([stem, net.layer1, net.layer2, net.layer3, net.layer4]))


def obow():
    student, teacher = (drawn(ResNet(), seed) for seed in (1, 2))
    generators = []
    for i, width in enumerate((128, 256)):
        layers = {"fc": nn.Linear(width, 40, bias=False), "bn": nn.BatchNorm1d(40), "last_layer": nn.Linear(40, 256)}
        generators.append(drawn(tree(**{f"b{i}_{name}": layer for name, layer in layers.items()}), i))
    words = [torch.rand(30, width, generator=torch.Generator().manual_seed(width)) for width in (128, 256)]
    state = prefixed("feature_extractor.", obow_blocks(student))
    state |= prefixed("feature_extractor_teacher.", obow_blocks(teacher))
    state |= {"bow_predictor.scale": torch.tensor([7.0, 7.0]), "_alpha": torch.ones(1), "_iteration": torch.ones(1)}
    state |= prefixed("linear_classifier.layers.", nn.Sequential(nn.BatchNorm2d(256), nn.Linear(256, 10)))
    distances = [300.0, 400.0]
    for i in range(2):
        state |= prefixed(f"bow_predictor.layers_w.{i}.", generators[i])
        vocabulary = f"bow_extractor.bow_extractor.{i}."
        state |= {
            f"{vocabulary}_embedding": words[i],
            f"{vocabulary}_embedding_ptr": torch.tensor([6]),
            f"{vocabulary}_track_num_batches": torch.tensor([11.0]),
            f"{vocabulary}_min_distance_mean": torch.tensor([distances[i]]),
        }

    def weights(i):
        fc, bn, last = generators[i].children()
        return F.normalize(last(F.relu(bn(fc(F.normalize(words[i], dim=1))))), dim=1)

    def bags(i):
        x = teacher.maps(torch.cat([IMAGES] * 2, dim=3).repeat(1, 1, 2, 1))[i + 2][:, :, 1:-1, 1:-1]
        d = torch.cdist(x.flatten(2).mT, words[i][None].expand(len(x), -1, -1)).square()
        return F.normalize((-15 / distances[i] * d).softmax(-1).amax(1), p=1, dim=1)

    large = torch.cat([IMAGES] * 2, dim=3).repeat(1, 1, 2, 1)
    outputs = {
        f"scores {i}": (
            7 * student(IMAGES) @ weights(i).T,
            lambda model, images, i=i: (
                model.config.kappa * embedding(model, images) @ model.generators[i](model.vocabularies[i].rows).T
            ),
        )
        for i in range(2)
    }
    outputs["bags"] = (bags(0), lambda model, images: model._bags(large)[0])
    outputs["pointer"] = (torch.tensor(6), lambda model, images: model.vocabularies[1].pointer)
    outputs["updates"] = (torch.tensor(11), lambda model, images: model.vocabularies[1].updates)
    network = {f"module.{name}": tensor for name, tensor in state.items()}
    return Official("obow", {"epoch": 200, "network": network, "meters": None}, student.embed, outputs)


def obow_student():
    net = drawn(ResNet(), 1)
    checkpoint = {"epoch": 200, "network": prefixed("", obow_blocks(net)), "meters": None}
    return Official("obow", checkpoint, net.embed, fresh=["generators", "teacher", "vocabularies"])


def obow_torchvision():
    net = drawn(ResNet(fc=nn.Linear(256, 30)), 1)
    checkpoint = {"network": prefixed("", net)}
    return Official("obow", checkpoint, net.embed, fresh=["generators", "teacher", "vocabularies"])


LAYOUTS = {
    "obow": obow,
    "obow, feature extractor": obow_student,
    "obow, torchvision": obow_torchvision,
}
