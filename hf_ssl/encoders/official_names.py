"""What the tensors of ResNets and ViTs are called in torchvision, in timm, and so in the official code of papers."""

import re

# Names in transformers -> names in torchvision, and in timm, as the official code has them.
_RESNET_NAMES = (
    (r"embedder\.embedder\.convolution\.", r"conv1."),
    (r"embedder\.embedder\.normalization\.", r"bn1."),
    (r"encoder\.stages\.(\d+)\.layers\.(\d+)\.layer\.(\d+)\.convolution\.", r"layer{1}.{2}.conv{3}."),
    (r"encoder\.stages\.(\d+)\.layers\.(\d+)\.layer\.(\d+)\.normalization\.", r"layer{1}.{2}.bn{3}."),
    (r"encoder\.stages\.(\d+)\.layers\.(\d+)\.shortcut\.convolution\.", r"layer{1}.{2}.downsample.0."),
    (r"encoder\.stages\.(\d+)\.layers\.(\d+)\.shortcut\.normalization\.", r"layer{1}.{2}.downsample.1."),
)
_VIT_NAMES = (
    ("embeddings.cls_token", "cls_token"),
    ("embeddings.position_embeddings", "pos_embed"),
    ("embeddings.patch_embeddings.projection.", "patch_embed.proj."),
    ("layers.", "blocks."),
    (".attention.o_proj.", ".attn.proj."),
    (".layernorm_before.", ".norm1."),
    (".layernorm_after.", ".norm2."),
    ("layernorm.", "norm."),
)


def resnet_name(name: str) -> str:
    """Name in torchvision of a tensor of a `ResNetModel`."""
    for pattern, official in _RESNET_NAMES:
        if match := re.match(pattern, name):
            stage, layer, conv = (*map(int, match.groups()), 0, 0, 0)[:3]
            return official.format("", stage + 1, layer, conv + 1) + name[match.end() :]
    return name


def vit_name(name: str) -> str:
    """Name in timm, after `state_dict`, of a tensor of a `ViTModel`."""
    for ours, official in _VIT_NAMES:
        name = name.replace(ours, official)
    return re.sub(r"\.attention\.([qkv])_proj\.(\w+)$", lambda m: f".attn.qkv.{m[2]}[{'qkv'.index(m[1])}]", name)
