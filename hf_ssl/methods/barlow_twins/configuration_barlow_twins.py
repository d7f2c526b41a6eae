"""Configuration of Barlow Twins (arXiv:2103.03230)."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig


@strict
class BarlowTwinsConfig(SSLConfig):
    r"""
    Barlow Twins: the cross-correlation of two views is the identity.

    Defaults are the paper's for ImageNet; further fields are those of [`SSLConfig`].

    Args:
        projection_sizes (`list[int]`, *optional*, defaults to `[8192, 8192, 8192]`):
            Widths of the projector after the embedding (section 2.2).
        redundancy_weight (`float`, *optional*, defaults to 0.0051):
            Lambda, the weight of the off-diagonal terms (section 2.2).
    """

    model_type = "ssl_barlow_twins"

    projection_sizes: list[int] | tuple[int, ...] = (8192, 8192, 8192)
    redundancy_weight: float | int = 0.0051

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_above_zero("redundancy_weight")
