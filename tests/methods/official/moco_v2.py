"""Checkpoints of https://github.com/facebookresearch/moco, whole and with the query encoder alone."""

import torch
import torch.nn.functional as F

from .parts import drawn, mlp, prefixed
from .release import IMAGES, OPTIMIZER, Official, projection, target_projection
from .resnet import ResNet


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
            "query": (q(IMAGES), projection),
            "key": (k(IMAGES), target_projection),
            "queue": (queue.T, lambda model, images: model.queue.rows),
            "pointer": (torch.tensor(16), lambda model, images: model.queue.pointer),
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
            "query": (q(IMAGES), projection),
            "key": (q(IMAGES), target_projection),
        },
        fresh=["queue", "target"],
    )


LAYOUTS = {
    "moco_v2": moco_v2,
    "moco_v2, query encoder": moco_v2_query,
}
