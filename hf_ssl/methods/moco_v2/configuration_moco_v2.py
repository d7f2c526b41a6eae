"""Configuration of MoCo v2 (arXiv:2003.04297)."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig


@strict
class MoCoV2Config(SSLConfig):
    r"""
    MoCo v2: a query finds its key, made by a slowly moving copy of the encoder, among the keys of the past.

    Defaults are those of the official code with `--mlp --moco-t 0.2 --aug-plus --cos`; further fields are those of
    [`SSLConfig`].

    Args:
        projection_sizes (`list[int]`, *optional*, defaults to `[2048, 128]`):
            Widths of the projector after the embedding, hidden layers first, without BatchNorm.
        queue_length (`int`, *optional*, defaults to 65536):
            Keys of the past that serve as negatives. At most as many as there are training images.
        target_momentum (`float`, *optional*, defaults to 0.999): of the key encoder, constant.
        temperature (`float`, *optional*, defaults to 0.2)
        symmetric_loss (`bool`, *optional*, defaults to `False`):
            Each view is the query once, at twice the cost; the official CIFAR-10 demonstration has it.
        shuffle_batch_norm (`bool`, *optional*, defaults to `True`):
            Mix the samples of all processes before the key encoder, where that has BatchNorm.
    """

    model_type = "ssl_moco_v2"

    projection_sizes: list[int] | tuple[int, ...] = (2048, 128)
    queue_length: int = 65536
    target_momentum: float | int = 0.999
    temperature: float | int = 0.2
    symmetric_loss: bool = False
    shuffle_batch_norm: bool = True

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_above_zero("temperature", "queue_length")
        self.require_share("target_momentum")
