"""Official checkpoints of OBoW: https://github.com/valeoai/obow."""

import re
from collections.abc import Callable
from typing import Any

from ...conversion_utils import Conversion, count_layers, native_names, resnet_config, state_dict

# The blocks of the official feature extractor are those of torchvision's ResNet.
_BLOCKS = ((r"_feature_blocks\.0\.Conv\.", "conv1."), (r"_feature_blocks\.0\.bn\.", "bn1."))
_GENERATOR = {"0": "fc", "1": "bn", "3": "last_layer"}
_VOCABULARY = {
    "rows": "_embedding",
    "pointer": "_embedding_ptr",
    "min_distance": "_min_distance_mean",
    "updates": "_track_num_batches",
}


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """
    `network` with the whole method, with the student's feature extractor, or with the student as a ResNet of
    torchvision whose `fc` holds the generated weights.

    The sharpness of the assignment (`inverse_temperature`) is not in the file.
    """
    if "network" not in checkpoint:
        raise ValueError("there is no 'network'")
    tensors = {_torchvision_name(name): t for name, t in state_dict(checkpoint, "network").items()}
    prefix = "" if "conv1.weight" in tensors else "feature_extractor."
    backbone = resnet_config(tensors, prefix)
    levels = count_layers(tensors, "bow_extractor.bow_extractor.")
    config, names = {"backbone_config": backbone}, {"backbone": native_names(backbone, prefix)}
    if levels:
        config |= {
            "levels": list(range(-levels, 0)),
            "vocabulary_size": len(tensors["bow_extractor.bow_extractor.0._embedding"]),
            "generator_hidden_size": len(tensors["bow_predictor.layers_w.0.b0_fc.weight"]),
            "kappa": tensors["bow_predictor.scale"][0].item(),
        }
    for i in range(levels):
        names[f"generators.{i}"] = _generator_names(i)
        names[f"vocabularies.{i}"] = _vocabulary_names(i)
    return Conversion(
        source="valeoai/obow",
        tensors=tensors,
        config=config,
        names=names | {"teacher.backbone": native_names(backbone, "feature_extractor_teacher.")},
        ignored=("linear_classifier.", "_alpha", "_iteration", "bow_predictor.scale") if prefix else ("fc.",),
    )


def _torchvision_name(name: str) -> str:
    for pattern, official in _BLOCKS:
        name = re.sub(pattern, official, name)
    return re.sub(r"_feature_blocks\.([1-4])\.", r"layer\1.", name)


def _generator_names(level: int) -> Callable[[str], str]:
    def official(name: str) -> str:
        layer, tensor = name.split(".", 1)
        return f"bow_predictor.layers_w.{level}.b{level}_{_GENERATOR[layer]}.{tensor}"

    return official


def _vocabulary_names(level: int) -> Callable[[str], str]:
    return lambda name: f"bow_extractor.bow_extractor.{level}.{_VOCABULARY[name]}"
