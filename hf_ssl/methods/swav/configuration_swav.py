"""Configuration of SwAV (arXiv:2006.09882)."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig


@strict
class SwAVConfig(SSLConfig):
    r"""
    SwAV: every crop of an image predicts to which prototypes another crop of it was assigned.

    Defaults are those of the official 400-epoch runs; epochs and iterations of the official schedules are shares of
    the run here. Further fields are those of [`SSLConfig`].

    Args:
        projection_sizes (`list[int]`, *optional*, defaults to `[2048, 128]`):
            Widths of the projector after the embedding, hidden layers first, with BatchNorm between them.
        num_prototypes (`int`, *optional*, defaults to 3000)
        temperature (`float`, *optional*, defaults to 0.1): of the predictions.
        sinkhorn_epsilon (`float`, *optional*, defaults to 0.05):
            Of the assignments; the smaller, the harder they are.
        sinkhorn_iterations (`int`, *optional*, defaults to 3)
        assigned_crops (`int`, *optional*, defaults to 2):
            How many of the global crops are assigned; each is predicted from all other crops.
        freeze_prototypes_share (`float`, *optional*, defaults to 0.0025):
            Share of the run during which the prototypes stay fixed: one of 400 epochs, that is the official 313
            iterations at batch 4096 and 5005 at batch 256.
        queue_length (`int`, *optional*, defaults to 0):
            Features of past images that share in the balance of the assignments, in all processes together. 0: none,
            as in the official run at batch 4096; that at batch 256 has 3840.
        queue_start_share (`float`, *optional*, defaults to 0.0375):
            Share of the run after which the queue starts to fill (15 of 400 epochs). It is used when it is full.
    """

    model_type = "ssl_swav"

    projection_sizes: list[int] | tuple[int, ...] = (2048, 128)
    num_prototypes: int = 3000
    temperature: float | int = 0.1
    sinkhorn_epsilon: float | int = 0.05
    sinkhorn_iterations: int = 3
    assigned_crops: int = 2
    freeze_prototypes_share: float | int = 1 / 400
    queue_length: int = 0
    queue_start_share: float | int = 15 / 400

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_above_zero("num_prototypes", "temperature", "sinkhorn_epsilon", "sinkhorn_iterations")
        self.require_above_zero("assigned_crops")
        self.require_share("freeze_prototypes_share", "queue_start_share")
        if self.queue_length < 0:
            raise ValueError(f"SwAVConfig.queue_length must be 0 (no queue) or more, got {self.queue_length}.")
