"""Tiny encoders and data sets for the tests of this folder."""

import torch
from torch.utils.data import Dataset
from transformers import (
    AutoModel,
    CLIPVisionConfig,
    ConvNextConfig,
    Dinov2Config,
    ResNetConfig,
    SwinConfig,
    ViTConfig,
)

_VIT = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32, "patch_size": 8}
CONFIGS = {
    "vit": (ViTConfig(**_VIT, intermediate_size=64), 32),
    "dinov2": (Dinov2Config(**_VIT), 32),
    "clip": (CLIPVisionConfig(**_VIT, intermediate_size=64), 32),
    "resnet": (ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"), 16),
    "swin": (SwinConfig(embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4, image_size=32), 32),
    "convnext": (ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, image_size=32), 16),
}


class Images(Dataset):
    """Random images whose brightness depends on the class, so that any encoder can tell the classes apart."""

    def __init__(self, count, classes=2, channels=3, sizes=(32,), labelled=True, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.labels = torch.arange(count) % classes
        self.labelled = labelled
        self.images = []
        for i in range(count):
            side = sizes[i % len(sizes)]
            noise = torch.randint(0, 60, (channels, side, side + i % len(sizes)), generator=generator)
            self.images.append((noise + self.labels[i] * 190 // max(classes - 1, 1)).to(torch.uint8))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        label = {"label": int(self.labels[i])} if self.labelled else {}
        return {"image": self.images[i], "index": i, **label}


def tiny_encoder():
    """An encoder that nothing is asked of before the data are known to be right."""
    return AutoModel.from_config(CONFIGS["vit"][0])
