"""Residual blocks that start as the identity (arXiv:1706.02677, section 5.1)."""

from transformers import PreTrainedModel
from transformers import initialization as init


def start_as_identity(backbone: PreTrainedModel) -> None:
    """
    Set the gain of the last BatchNorm of every residual block of a ResNet to 0, torchvision's `zero_init_residual`;
    not what a checkpoint filled, nor encoders of other architectures.
    """
    if backbone.config.model_type == "resnet":
        for stage in backbone.encoder.stages:
            for block in stage.layers:
                init.zeros_(block.layer[-1].normalization.weight)
