"""
Checkpoints of BYOL for PyTorch; the official ones are for JAX.

Known are those of https://github.com/vturrisi/solo-learn and of https://github.com/lucidrains/byol-pytorch around a
torchvision ResNet. Both have biases at the end of the heads, which the official code has not.
"""

import re
from typing import Any

from ...conversion_utils import Conversion, layer_widths, native_names, resnet_config, state_dict

# Our modules in the two layouts; what our model has no use for comes last.
_SOLO_LEARN = (
    {
        "backbone": "backbone.",
        "projector": "projector.",
        "predictor": "predictor.",
        "target.backbone": "momentum_backbone.",
        "target.projector": "momentum_projector.",
    },
    ("classifier.", "momentum_classifier."),
)
_LUCIDRAINS = (
    {
        "backbone": "online_encoder.net.",
        "projector": "online_encoder.projector.",
        "predictor": "online_predictor.",
        "target.backbone": "target_encoder.net.",
        "target.projector": "target_encoder.projector.",
    },
    ("net.", "online_encoder.net.fc.", "target_encoder.net.fc."),
)


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """`state_dict` of solo-learn with `backbone` and `momentum_backbone`, or a bare one of byol-pytorch."""
    tensors = state_dict(checkpoint, "state_dict")
    # The first versions of solo-learn said `encoder` for `backbone`.
    tensors = {re.sub(r"^(momentum_)?encoder\.", r"\1backbone.", name): t for name, t in tensors.items()}
    theirs = "online_encoder.net.conv1.weight" in tensors
    prefixes, ignored = _LUCIDRAINS if theirs else _SOLO_LEARN
    backbone = resnet_config(tensors, prefixes["backbone"])
    if theirs and "online_encoder.projector.6.weight" in tensors:
        raise ValueError(
            "it was trained with use_momentum=False of byol-pytorch, which is SimSiam with its projector, and no BYOL"
        )
    return Conversion(
        source="lucidrains/byol-pytorch" if theirs else "vturrisi/solo-learn",
        tensors=tensors,
        config={
            "backbone_config": backbone,
            "projection_sizes": layer_widths(tensors, prefixes["projector"], required=True),
            "prediction_sizes": layer_widths(tensors, prefixes["predictor"], required=True),
            "last_bias": True,
        },
        names={
            name: native_names(backbone, prefix) if name.endswith("backbone") else prefix
            for name, prefix in prefixes.items()
        },
        required=("backbone", "projector", "predictor"),
        ignored=ignored,
    )
