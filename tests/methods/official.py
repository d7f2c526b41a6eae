"""Small networks with the module names of the public code, and checkpoints of them as that code saves them."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    """A residual block of torchvision; with `bottleneck`, the stride is in the 3x3 convolution (v1.5)."""

    def __init__(self, before: int, width: int, stride: int, bottleneck: bool):
        super().__init__()
        after = 4 * width if bottleneck else width
        shapes = [(1, before, width), (3, width, width), (1, width, after)]
        shapes = shapes if bottleneck else [(3, before, width), (3, width, after)]
        for i, (kernel, x, y) in enumerate(shapes, start=1):
            s = stride if kernel == 3 and (bottleneck or i == 1) else 1
            setattr(self, f"conv{i}", nn.Conv2d(x, y, kernel, s, kernel // 2, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(y))
        self.depth = len(shapes)
        if stride > 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        else:
            self.downsample = nn.Identity()

    def forward(self, x):
        y = x
        for i in range(1, self.depth + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = F.relu(y) if i < self.depth else y
        return F.relu(y + self.downsample(x))


class ResNet(nn.Module):
    """torchvision's ResNet up to `fc`, which is whatever the method puts there."""

    def __init__(self, depths=(2, 1, 1, 1), bottleneck=True, width=8, fc: nn.Module | None = None):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        before = width
        for i, depth in enumerate(depths):
            blocks = []
            for j in range(depth):
                blocks.append(Block(before, width * 2**i, 2 if i and not j else 1, bottleneck))
                before = width * 2**i * (4 if bottleneck else 1)
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.dim, self.fc = before, fc or nn.Identity()

    def maps(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        maps = []
        for i in range(1, 5):
            x = getattr(self, f"layer{i}")(x)
            maps.append(x)
        return maps

    def embed(self, x):
        return self.maps(x)[-1].mean((2, 3))

    def forward(self, x):
        return self.fc(self.embed(x))


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(dim, eps=1e-6), Attention(dim, heads)
        self.norm2, self.mlp = nn.LayerNorm(dim, eps=1e-6), nn.Sequential()
        self.mlp.add_module("fc1", nn.Linear(dim, 4 * dim))
        self.mlp.add_module("act", nn.GELU())
        self.mlp.add_module("fc2", nn.Linear(4 * dim, dim))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """The ViT of timm and DINO, with one fused layer for queries, keys and values."""

    def __init__(self, image=32, patch=8, dim=128, depth=2, heads=2, head: nn.Module | None = None):
        super().__init__()
        self.patch_embed = nn.Sequential()
        self.patch_embed.add_module("proj", nn.Conv2d(3, dim, patch, patch))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (image // patch) ** 2, dim))
        self.blocks = nn.ModuleList([Layer(dim, heads) for _ in range(depth)])
        self.norm, self.dim = nn.LayerNorm(dim, eps=1e-6), dim
        self.head = head or nn.Identity()

    def tokens(self, x, keep=None):
        """Without the final norm; `keep` (batch, visible) are the patches that go in."""
        x = self.patch_embed(x).flatten(2).mT + self.pos_embed[:, 1:]
        if keep is not None:
            x = x.gather(1, keep[..., None].expand(-1, -1, x.shape[-1]))
        x = torch.cat([(self.cls_token + self.pos_embed[:, :1]).expand(len(x), -1, -1), x], dim=1)
        for layer in self.blocks:
            x = layer(x)
        return x

    def embed(self, x):
        return self.norm(self.tokens(x))[:, 0]

    def forward(self, x):
        return self.head(self.embed(x))


def mlp(*sizes, norm=False, hidden_bias=True, last_bias=True, last_norm=None, act=nn.ReLU):
    layers = []
    for a, b in zip(sizes[:-2], sizes[1:-1], strict=True):
        layers += [nn.Linear(a, b, bias=hidden_bias), *([nn.BatchNorm1d(b)] if norm else []), act()]
    return nn.Sequential(*layers, nn.Linear(*sizes[-2:], bias=last_bias), *([last_norm] if last_norm else []))


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


def tree(**modules) -> nn.Module:
    """A module with these children."""
    root = nn.Module()
    for name, module in modules.items():
        root.add_module(name, module)
    return root


def drawn(module: nn.Module, seed: int) -> nn.Module:
    """Every parameter and buffer away from its initial value, so that each of them counts."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            elif tensor.is_floating_point():
                fan = tensor[0].numel() if tensor.dim() > 1 else 25
                center = float(tensor.dim() == 1 and name.endswith("weight"))
                tensor.copy_(center + torch.randn(tensor.shape, generator=generator) / fan**0.5)
    return module.eval()


def prefixed(prefix: str, module: nn.Module) -> dict:
    return {prefix + name: tensor.clone() for name, tensor in module.state_dict().items()}


@dataclass
class Official:
    """
    Args:
        checkpoint (`dict`): what the public code saves.
        embed (`Callable`): images -> embeddings.
        outputs (`dict`): name -> (what the public network gives for the images, how to ask our model for it).
        fresh (`list[str]`): parts of our model that are not in the checkpoint.
        as_well (`tuple[str]`): methods whose bare encoders look the same.
    """

    method: str
    checkpoint: dict
    embed: Callable
    outputs: dict = field(default_factory=dict)
    fresh: list = field(default_factory=list)
    as_well: tuple = ()
    config: dict = field(default_factory=dict)
    size: int = 224


IMAGES = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(5))
SMALL = IMAGES[..., :32, :32]
OPTIMIZER = {"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.03, "params": [0]}]}


def embedding(model, x):
    return model.encoder()(x).pooler_output


def moco_v2():
    q, k = (drawn(ResNet(fc=mlp(256, 256, 12)), seed) for seed in (1, 2))
    queue = F.normalize(torch.randn(12, 40, generator=torch.Generator().manual_seed(3)), dim=0)
    state = prefixed("module.encoder_q.", q) | prefixed("module.encoder_k.", k)
    state |= {"module.queue": queue, "module.queue_ptr": torch.tensor([16])}
    return Official(
        "moco_v2",
        {"epoch": 200, "arch": "resnet50", "state_dict": state, "optimizer": OPTIMIZER},
        q.embed,
        {
            "query": (q(IMAGES), lambda m, x: m.projector(embedding(m, x))),
            "key": (k(IMAGES), lambda m, x: m.target.projector(m.target.backbone(x).pooler_output.flatten(1))),
            "queue": (queue.T, lambda m, x: m.queue.rows),
            "pointer": (torch.tensor(16), lambda m, x: m.queue.pointer),
        },
        config={"queue_length": 40, "projection_sizes": [256, 12]},
    )


def moco_v2_query():
    q = drawn(ResNet(fc=mlp(256, 256, 12)), 1)
    return Official(
        "moco_v2",
        {"state_dict": prefixed("module.encoder_q.", q), "epoch": 800, "arch": "resnet50"},
        q.embed,
        {
            "query": (q(IMAGES), lambda m, x: m.projector(embedding(m, x))),
            "key": (q(IMAGES), lambda m, x: m.target.projector(m.target.backbone(x).pooler_output.flatten(1))),
        },
        fresh=["queue", "target"],
    )


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
            "query": (q.head(q.encoder(IMAGES)), lambda m, x: m.projector(embedding(m, x))),
            "key": (
                k.head(k.encoder(IMAGES)),
                lambda m, x: m.target.projector(m.target.backbone(x).pooler_output.flatten(1)),
            ),
            "jigsaw": (
                q.head_jig.fc2(q.head_jig.fc1(patches).flatten(1)),
                lambda m, x: m.jigsaw_projector(patches),
            ),
            "queue": (memory, lambda m, x: m.queue.rows),
        },
    )


def simclr_converter():
    net = drawn(ResNet(width=16, fc=nn.Linear(512, 10)), 1)
    return Official("simclr", {"state_dict": prefixed("", net)}, net.embed, fresh=["projector"])


def simclr_sthalles():
    net = drawn(ResNet(bottleneck=False, fc=mlp(64, 64, 12)), 1)
    return Official(
        "simclr",
        {"epoch": 100, "arch": "resnet18", "state_dict": prefixed("backbone.", net), "optimizer": OPTIMIZER},
        net.embed,
        {"projection": (net(IMAGES), lambda m, x: m.projector(embedding(m, x)))},
    )


def simclr_spijkervet():
    net = drawn(tree(encoder=ResNet(), projector=mlp(256, 256, 12, hidden_bias=False, last_bias=False)), 1)
    return Official(
        "simclr",
        prefixed("", net),
        net.encoder.embed,
        {"projection": (net.projector(net.encoder(IMAGES)), lambda m, x: m.projector(embedding(m, x)))},
    )


def byol_outputs(net, head, predictor, target, target_head):
    return {
        "prediction": (
            predictor(head(net.embed(IMAGES))),
            lambda m, x: m.predictor(m.projector(embedding(m, x))),
        ),
        "target": (
            target_head(target.embed(IMAGES)),
            lambda m, x: m.target.projector(m.target.backbone(x).pooler_output.flatten(1)),
        ),
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


def simsiam():
    head = mlp(256, 256, 256, 24, norm=True, hidden_bias=False, last_norm=nn.BatchNorm1d(24, affine=False))
    net = drawn(tree(encoder=ResNet(fc=head), predictor=mlp(24, 8, 24, norm=True, hidden_bias=False)), 1)
    z = net.encoder(IMAGES)
    return Official(
        "simsiam",
        {"epoch": 100, "arch": "resnet50", "state_dict": prefixed("module.", net), "optimizer": OPTIMIZER},
        net.encoder.embed,
        {
            "projection": (z, lambda m, x: m.projector(embedding(m, x))),
            "prediction": (net.predictor(z), lambda m, x: m.predictor(m.projector(embedding(m, x)))),
        },
    )


def barlow_twins():
    head = mlp(256, 32, 32, 24, norm=True, hidden_bias=False, last_bias=False)
    net = drawn(tree(backbone=ResNet(), projector=head, bn=nn.BatchNorm1d(24, affine=False)), 1)
    return Official(
        "barlow_twins",
        {"epoch": 1000, "model": prefixed("module.", net), "optimizer": OPTIMIZER},
        net.backbone.embed,
        {"projection": (head(net.backbone(IMAGES)), lambda m, x: m.projector(embedding(m, x)))},
    )


def vicreg():
    net = drawn(tree(backbone=ResNet(width=16), projector=mlp(512, 32, 32, 24, norm=True, last_bias=False)), 1)
    return Official(
        "vicreg",
        {"epoch": 1000, "model": prefixed("module.", net), "optimizer": OPTIMIZER},
        net.backbone.embed,
        {"projection": (net.projector(net.backbone(IMAGES)), lambda m, x: m.projector(embedding(m, x)))},
    )


def bare_resnet(method, fresh):
    net = drawn(ResNet(), 1)
    return Official(method, prefixed("", net), net.embed, fresh=fresh, as_well=("barlow_twins", "vicreg", "dino"))


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
                lambda m, x: m.prototypes(F.normalize(m.projector(embedding(m, x)), dim=1)),
            )
        },
    )


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
        {"scores": (scores, lambda m, x: F.normalize(m.projector(embedding(m, x)), dim=1) @ m.memory.centroids.T)},
        config={"num_prototypes": [20, 15, 10]},
    )


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
            lambda m, x, i=i: m.config.kappa * embedding(m, x) @ m.generators[i](m.vocabularies[i].rows).T,
        )
        for i in range(2)
    }
    outputs["bags"] = (bags(0), lambda m, x: m._bags(large)[0])
    outputs["pointer"] = (torch.tensor(6), lambda m, x: m.vocabularies[1].pointer)
    outputs["updates"] = (torch.tensor(11), lambda m, x: m.vocabularies[1].updates)
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
            "teacher": (expected[0], lambda m, x: m._project(m, [x[:, None]])[0][:, 0]),
            "student": (expected[1], lambda m, x: m._project(m.student.eval(), [x[:, None]])[0][:, 0]),
            "center": (center[0], lambda m, x: m.center),
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


class MaskedAutoencoder(VisionTransformer):
    def __init__(self, dim=32, depth=2):
        super().__init__()
        patches = self.pos_embed.shape[1]
        self.decoder_embed = nn.Linear(self.dim, dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.decoder_pos_embed = nn.Parameter(torch.zeros(1, patches, dim), requires_grad=False)
        self.decoder_blocks = nn.ModuleList([Layer(dim, 16) for _ in range(depth)])
        self.decoder_norm = nn.LayerNorm(dim, eps=1e-6)
        self.decoder_pred = nn.Linear(dim, 8 * 8 * 3)

    def embed(self, x):
        return self.norm(self.tokens(x)[:, 1:].mean(1))

    def reconstruct(self, x, mask):
        """Pixels of every patch; `mask` (batch, patches), with equally many in each row."""
        keep = (~mask).nonzero()[:, 1].reshape(len(x), -1)
        z = self.decoder_embed(self.norm(self.tokens(x, keep)))
        canvas = self.mask_token.repeat(len(x), mask.shape[1], 1)
        canvas[~mask] = z[:, 1:].reshape(-1, z.shape[-1])
        z = torch.cat([z[:, :1], canvas], dim=1) + self.decoder_pos_embed
        for layer in self.decoder_blocks:
            z = layer(z)
        return self.decoder_pred(self.decoder_norm(z))[:, 1:]


MASK = torch.rand(3, 16, generator=torch.Generator().manual_seed(6)).argsort(1) < 12


def mae():
    from hf_ssl.augment.masks import visible_indices
    from hf_ssl.encoders import encoder_for

    def seen(backbone, x):
        tokens = encoder_for(backbone.config).tokens(backbone, x, keep=visible)
        return torch.cat([tokens.prefix, tokens.patches], dim=1)

    net, visible = drawn(MaskedAutoencoder(), 1), visible_indices(MASK)
    args = argparse.Namespace(model="mae_vit_base_patch16", norm_pix_loss=False, mask_ratio=0.75)
    return Official(
        "mae",
        {"model": prefixed("", net), "optimizer": OPTIMIZER, "epoch": 799, "scaler": {}, "args": args},
        net.embed,
        {
            "pixels": (
                net.reconstruct(SMALL, MASK),
                lambda m, x: m.decoder(seen(m.backbone, x), visible),
            )
        },
        config={"norm_pix_loss": False, "decoder_hidden_size": 32, "decoder_num_hidden_layers": 2},
        size=32,
    )


def mae_encoder():
    net = drawn(VisionTransformer(), 1)
    state = {"model": prefixed("", net)}
    return Official("mae", state, lambda x: net.norm(net.tokens(x)[:, 1:].mean(1)), fresh=["decoder"], size=32)


def supervised_resnet():
    net = drawn(ResNet(bottleneck=False, fc=nn.Linear(64, 10)), 1)
    state = {k: v for k, v in prefixed("", net).items() if "num_batches" not in k}  # as the old files
    outputs = {"logits": (net(IMAGES), lambda m, x: m.classifier(embedding(m, x)))}
    return Official("supervised", state, net.embed, outputs, config={"num_labels": 10})


def supervised_vit():
    net = drawn(VisionTransformer(head=nn.Linear(128, 10)), 1)
    outputs = {"logits": (net(SMALL), lambda m, x: m.classifier(embedding(m, x)))}
    return Official("supervised", {"model": prefixed("", net)}, net.embed, outputs, size=32)


LAYOUTS = {
    "moco_v2": moco_v2,
    "moco_v2, query encoder": moco_v2_query,
    "infomin": infomin,
    "simclr, simclr-converter": simclr_converter,
    "simclr, sthalles": simclr_sthalles,
    "simclr, Spijkervet": simclr_spijkervet,
    "byol, solo-learn": byol_solo_learn,
    "byol, old solo-learn": byol_old_solo_learn,
    "byol, byol-pytorch": byol_lucidrains,
    "simsiam": simsiam,
    "barlow_twins": barlow_twins,
    "barlow_twins, resnet50.pth": lambda: bare_resnet("barlow_twins", ["projector"]),
    "vicreg": vicreg,
    "vicreg, resnet50.pth": lambda: bare_resnet("vicreg", ["projector"]),
    "swav": swav,
    "deepcluster_v2": deepcluster_v2,
    "obow": obow,
    "obow, feature extractor": obow_student,
    "obow, torchvision": obow_torchvision,
    "dino": dino,
    "dino, learnt norms": lambda: dino(norm_last_layer=False),
    "dino, resnet": lambda: dino(ResNet, IMAGES, batch_norm=True),
    "dino, bare ViT": bare_vit,
    "dino, bare resnet": lambda: bare_resnet("dino", ["center", "head", "student"]),
    "mae": mae,
    "mae, encoder": mae_encoder,
    "supervised, resnet": supervised_resnet,
    "supervised, ViT": supervised_vit,
}
