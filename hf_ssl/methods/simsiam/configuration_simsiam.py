"""Configuration of SimSiam (arXiv:2011.10566)."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig


@strict
class SimSiamConfig(SSLConfig):
    r"""
    SimSiam: predict one view from the other, with a stop-gradient and nothing else.

    Defaults are the paper's for ImageNet; further fields are those of [`SSLConfig`].

    Args:
        projection_sizes (`list[int]`, *optional*, defaults to `[2048, 2048, 2048]`):
            Widths of the projector after the embedding, with BatchNorm after every layer (section 3).
        prediction_size (`int`, *optional*, defaults to 512):
            Width of the predictor's bottleneck.
    """

    model_type = "ssl_simsiam"

    projection_sizes: list[int] | tuple[int, ...] = (2048, 2048, 2048)
    prediction_size: int = 512

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_above_zero("prediction_size")
