"""Supervised weights of torchvision (ResNet), and of timm and DeiT (ViT): https://github.com/pytorch/vision."""

from typing import Any

from ...conversion_utils import Conversion, native_config, native_names, state_dict
from ...encoders import encoder_for


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """
    A bare state dict, or one in `model` or `state_dict`; `fc` or `head` is the classifier.

    Weights of timm that were trained on images normalised otherwise than ImageNet's usual way need other `image_mean`
    and `image_std` on the image processor; the file does not tell.
    """
    if list(checkpoint) == ["state_dict"]:
        raise ValueError(
            "a 'state_dict' and nothing else is how tonylins/simclr-converter writes SimCLR; if it is a supervised "
            "model, save what is under 'state_dict' by itself"
        )
    tensors = state_dict(checkpoint, "model", "state_dict")
    backbone = native_config(tensors)
    head = encoder_for(backbone).official_head
    if f"{head}weight" not in tensors:
        raise ValueError(f"missing {head}weight, the classifier")
    return Conversion(
        source="pytorch/vision" if head == "fc." else "facebookresearch/deit",
        tensors=tensors,
        config={"backbone_config": backbone, "num_labels": len(tensors[f"{head}weight"])},
        names={"backbone": native_names(backbone), "classifier": head},
        required=("backbone", "classifier"),
    )
