"""Configuration of supervised training, the row that the others are compared with."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig


@strict
class SupervisedConfig(SSLConfig):
    r"""
    Cross-entropy against labels, with the views and the Trainer of the other methods.

    `num_labels` is that of `PreTrainedConfig`; further fields are those of [`SSLConfig`].

    Args:
        label_smoothing (`float`, *optional*, defaults to 0.0):
            Share of the target that is spread over all classes (0.1 for ViT: DeiT, arXiv:2012.12877, table 9).
    """

    model_type = "ssl_supervised"

    label_smoothing: float | int = 0.0

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_share("label_smoothing")
