"""Configuration of FixMatch."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig


@strict
class FixMatchConfig(SSLConfig):
    r"""
    A classifier from few labels and many images without (arXiv:2001.07685). The defaults are those of the paper, table
    4, for CIFAR-10.

    `num_labels` is that of `PreTrainedConfig`; further fields are those of [`SSLConfig`].

    Args:
        unlabelled_per_label (`int`, *optional*, defaults to 7):
            How many images without a label a batch holds for each labelled one: mu. A batch to train on consists of
            groups of `1 + unlabelled_per_label` images, of which the first has the label.
        threshold (`float`, *optional*, defaults to 0.95):
            Probability from which on the likeliest class of an image counts as its label: tau.
        unlabelled_weight (`float`, *optional*, defaults to 1.0):
            Weight of the loss of the images without a label: lambda.
        ema_momentum (`float`, *optional*, defaults to 0.999):
            Of the moving average of the weights, which is evaluated and published. It looks back on about
            `1 / (1 - ema_momentum)` steps: a run of a few hundred needs less.
    """

    model_type = "ssl_fixmatch"

    unlabelled_per_label: int = 7
    threshold: float | int = 0.95
    unlabelled_weight: float | int = 1.0
    ema_momentum: float | int = 0.999

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_share("threshold", "ema_momentum")
        self.require_above_zero("unlabelled_per_label")
        if self.unlabelled_weight < 0:
            raise ValueError(f"FixMatchConfig.unlabelled_weight must be at least 0, got {self.unlabelled_weight}.")
