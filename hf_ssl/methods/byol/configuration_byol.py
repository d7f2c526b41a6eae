"""Configuration of BYOL (arXiv:2006.07733)."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig


@strict
class BYOLConfig(SSLConfig):
    r"""
    BYOL: the online network predicts, from one view, what its moving average says of the other.

    Defaults are the paper's for ImageNet; further fields are those of [`SSLConfig`].

    Args:
        projection_sizes (`list[int]`, *optional*, defaults to `[4096, 256]`):
            Widths of the projector after the embedding, hidden layers first (section 3.3).
        prediction_sizes (`list[int]`, *optional*, defaults to `[4096, 256]`):
            Widths of the predictor after the projection; the last one must be that of the projection.
        target_momentum (`float`, *optional*, defaults to 0.996):
            Of the target network at the start; it rises to 1 along a cosine (section 3.2; 0.99 for the 300 epochs of
            the ablations).
        last_bias (`bool`, *optional*, defaults to `False`):
            Biases at the end of projector and predictor. The official code has none, others for PyTorch have.
    """

    model_type = "ssl_byol"

    projection_sizes: list[int] | tuple[int, ...] = (4096, 256)
    prediction_sizes: list[int] | tuple[int, ...] = (4096, 256)
    target_momentum: float | int = 0.996
    last_bias: bool = False

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_share("target_momentum")
        if self.prediction_sizes[-1] != self.projection_sizes[-1]:
            raise ValueError(
                f"BYOLConfig.prediction_sizes must end with the width of the projection, {self.projection_sizes[-1]}, "
                f"got {self.prediction_sizes[-1]}."
            )
