"""Official checkpoints of SimSiam: https://github.com/facebookresearch/simsiam."""

from typing import Any

from ...conversion_utils import Conversion, native_names, resnet_with_projector, state_dict


def convert(checkpoint: dict[str, Any]) -> Conversion:
    """`encoder`, a ResNet whose `fc` is the projector, and `predictor`."""
    tensors = state_dict(checkpoint, "state_dict")
    backbone, config = resnet_with_projector(tensors, "encoder.", "encoder.fc.")
    if "predictor.0.weight" in tensors:
        config["prediction_size"] = len(tensors["predictor.0.weight"])
    # The last layer has a bias that is never trained, and that the running mean of the BatchNorm behind it holds too.
    if "encoder.fc.6.bias" in tensors and "encoder.fc.7.running_mean" in tensors:
        tensors["encoder.fc.7.running_mean"] = tensors["encoder.fc.7.running_mean"] - tensors.pop("encoder.fc.6.bias")
    names = {
        "backbone": native_names(backbone, "encoder."),
        "projector": "encoder.fc.",
        "predictor": "predictor.",
    }
    return Conversion(source="facebookresearch/simsiam", tensors=tensors, config=config, names=names)
