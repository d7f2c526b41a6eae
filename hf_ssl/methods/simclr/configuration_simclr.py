"""Configuration of SimCLR (arXiv:2002.05709)."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig


@strict
class SimCLRConfig(SSLConfig):
    r"""
    SimCLR: two views of an image agree, and disagree with every other image of the batch.

    Defaults are the paper's for ImageNet; further fields are those of [`SSLConfig`].

    Args:
        projection_sizes (`list[int]`, *optional*, defaults to `[2048, 128]`):
            Widths of the projector after the embedding, hidden layers first (section 4.2: one hidden layer).
        projector_batch_norm (`bool`, *optional*, defaults to `True`):
            BatchNorm after the hidden layers of the projector, as in the official code; some for PyTorch have none.
        projector_last_batch_norm (`bool`, *optional*, defaults to `True`):
            BatchNorm without offset after the last layer of the projector too, as the official code has it.
        temperature (`float`, *optional*, defaults to 0.1):
            Of NT-Xent (table 5; the official code uses 0.1 for ImageNet, the paper's appendix B.9 0.5 for CIFAR-10).
    """

    model_type = "ssl_simclr"

    projection_sizes: list[int] | tuple[int, ...] = (2048, 128)
    projector_batch_norm: bool = True
    projector_last_batch_norm: bool = True
    temperature: float | int = 0.1

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_above_zero("temperature")
        if len(self.projection_sizes) < 1:
            raise ValueError("SimCLRConfig.projection_sizes needs at least the output width.")
