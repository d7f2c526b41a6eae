"""Official checkpoints of MAE: https://github.com/facebookresearch/mae."""

import argparse
from typing import Any

from ...conversion_utils import Conversion, count_layers, native_names, state_dict, vit_config
from ...encoders.official_names import vit_name


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """
    `model` with a ViT, and with `decoder_*` and `mask_token` in the files that can reconstruct.

    `norm_pix_loss` is that of the arguments in the file; the files without arguments do not tell.
    """
    if "model" not in checkpoint:
        raise ValueError("there is no 'model'")
    tensors = state_dict(checkpoint, "model")
    backbone = vit_config(tensors)
    config = {"backbone_config": backbone}
    if "decoder_embed.weight" in tensors:
        config |= {
            "decoder_hidden_size": len(tensors["decoder_embed.weight"]),
            "decoder_num_hidden_layers": count_layers(tensors, "decoder_blocks."),
            "decoder_num_attention_heads": 16,  # in all of the official models
            "decoder_intermediate_size": len(tensors["decoder_blocks.0.mlp.fc1.weight"]),
        }
    arguments = vars(checkpoint["args"]) if isinstance(checkpoint.get("args"), argparse.Namespace) else {}
    if isinstance(arguments.get("norm_pix_loss"), bool):
        config["norm_pix_loss"] = arguments["norm_pix_loss"]
    return Conversion(
        source="facebookresearch/mae",
        tensors=tensors,
        config=config,
        names={"backbone": native_names(backbone), "decoder": _decoder_name},
    )


def _decoder_name(name: str) -> str:
    names = {"mask_token": "mask_token", "position_embeddings": "decoder_pos_embed"}
    return names.get(name) or "decoder_" + vit_name(name).replace("predict.", "pred.")
