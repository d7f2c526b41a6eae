"""Configuration of OBoW (arXiv:2012.11552)."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig


@strict
class OBoWConfig(SSLConfig):
    r"""
    OBoW: a student predicts, from crops, the bag of visual words that a moving-average teacher sees in the image.

    Defaults are those of the official full version for ResNet-50; its ResNet-18 runs have `inverse_temperature` 10 and
    `kappa` 5, and the vanilla version `levels=[-1]`. Further fields are those of [`SSLConfig`].

    Args:
        levels (`list[int]`, *optional*):
            Feature maps with a vocabulary each: stages (ResNet, ConvNeXt, Swin) or layers (ViT) from the end, -1 the
            last. By default the last two stages (conv4 and conv5 of a ResNet); of a ViT the last layer and the one
            after three quarters of the depth, both after the final norm.
        vocabulary_size (`int`, *optional*, defaults to 8192):
            Words of each level; at least the global batch, of which every image gives one at each step.
        inverse_temperature (`float`, *optional*, defaults to 15.0):
            1 / delta_base: sharpness of the assignment, relative to the mean distance to the nearest word.
        distance_momentum (`float`, *optional*, defaults to 0.99): of the running mean of that distance.
        border (`int`, *optional*, defaults to 1):
            Outer rows and columns of the feature maps that give no words (official code).
        kappa (`float`, *optional*, defaults to 8.0): scale of the generated weights, constant.
        generator_hidden_size (`int`, *optional*):
            Hidden layer of the weight generator; by default twice the width of the embedding.
        teacher_momentum (`float`, *optional*, defaults to 0.99): rises to 1 along a cosine.
    """

    model_type = "ssl_obow"

    levels: list[int] | tuple[int, ...] | None = None
    vocabulary_size: int = 8192
    inverse_temperature: float | int = 15.0
    distance_momentum: float | int = 0.99
    border: int = 1
    kappa: float | int = 8.0
    generator_hidden_size: int | None = None
    teacher_momentum: float | int = 0.99

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_above_zero("vocabulary_size", "inverse_temperature", "kappa")
        self.require_share("distance_momentum", "teacher_momentum")
        if self.border < 0:
            raise ValueError(f"OBoWConfig.border must be at least 0, got {self.border}.")
        if self.generator_hidden_size is not None:
            self.require_above_zero("generator_hidden_size")
