"""Official checkpoints of DINO: https://github.com/facebookresearch/dino."""

import argparse
from collections.abc import Callable
from typing import Any

from ...conversion_utils import Conversion, layer_widths, native_config, native_names, state_dict, state_dicts

# Our field -> the argument of main_dino.py.
_ARGUMENTS = {
    "teacher_temperature": "teacher_temp",
    "warmup_teacher_temperature": "warmup_teacher_temp",
    "teacher_momentum": "momentum_teacher",
    "student_drop_path_rate": "drop_path_rate",
}


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """A full checkpoint with `student`, `teacher` and `dino_loss`, or the bare ViT or ResNet of a teacher."""
    if "teacher" not in checkpoint:
        tensors = state_dict(checkpoint)
        backbone = native_config(tensors)
        return Conversion(
            source="facebookresearch/dino",
            tensors=tensors,
            config={"backbone_config": backbone},
            names={"backbone": native_names(backbone)},
        )
    tensors = state_dicts(checkpoint, "teacher", "student", "dino_loss")
    backbone = native_config(tensors, "teacher.backbone.")
    gains = [f"{network}.head.last_layer.weight_g" for network in ("teacher", "student")]
    unit = all(bool((tensors[name] == 1).all()) for name in gains if name in tensors)
    arguments = vars(checkpoint["args"]) if isinstance(checkpoint.get("args"), argparse.Namespace) else {}
    unit = unit and arguments.get("norm_last_layer") is not False
    return Conversion(
        source="facebookresearch/dino",
        tensors=tensors,
        config={
            "backbone_config": backbone,
            "head_sizes": layer_widths(tensors, "teacher.head.mlp.", required=True),
            "num_prototypes": len(tensors["teacher.head.last_layer.weight_v"]),
            "norm_last_layer": unit,
            "head_batch_norm": "teacher.head.mlp.1.running_mean" in tensors,
        }
        | {ours: x for ours, theirs in _ARGUMENTS.items() if isinstance(x := arguments.get(theirs), float | int)},
        names={
            "backbone": native_names(backbone, "teacher.backbone."),
            "head": _head_names("teacher.head."),
            "student.backbone": native_names(backbone, "student.backbone."),
            "student.head": _head_names("student.head."),
            "center": "dino_loss.center",
        },
        required=("backbone", "head"),
        ignored=tuple(gains) if unit else (),
    )


def _head_names(prefix: str) -> Callable[[str], str]:
    names = {"prototypes.weight": "last_layer.weight_v", "norms": "last_layer.weight_g"}
    return lambda name: prefix + names.get(name, name)
