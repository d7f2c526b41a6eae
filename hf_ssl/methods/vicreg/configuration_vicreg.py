"""Configuration of VICReg (arXiv:2105.04906)."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig


@strict
class VICRegConfig(SSLConfig):
    r"""
    VICReg: two views agree, each feature keeps its variance, and no two features covary.

    Defaults are the paper's for ImageNet; further fields are those of [`SSLConfig`].

    Args:
        projection_sizes (`list[int]`, *optional*, defaults to `[8192, 8192, 8192]`):
            Widths of the expander after the embedding (section 4.2).
        invariance_weight (`float`, *optional*, defaults to 25.0): lambda of equation 6.
        variance_weight (`float`, *optional*, defaults to 25.0): mu of equation 6.
        covariance_weight (`float`, *optional*, defaults to 1.0): nu of equation 6.
    """

    model_type = "ssl_vicreg"

    projection_sizes: list[int] | tuple[int, ...] = (8192, 8192, 8192)
    invariance_weight: float | int = 25.0
    variance_weight: float | int = 25.0
    covariance_weight: float | int = 1.0

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_above_zero("invariance_weight", "variance_weight", "covariance_weight")
