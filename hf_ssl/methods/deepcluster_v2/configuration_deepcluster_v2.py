"""Configuration of DeepCluster v2 (arXiv:2006.09882, appendix)."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig


@strict
class DeepClusterV2Config(SSLConfig):
    r"""
    DeepCluster v2: every crop of an image predicts into which cluster its features of the previous epoch fell.

    Defaults are those of the official runs; further fields are those of [`SSLConfig`].

    Args:
        projection_sizes (`list[int]`, *optional*, defaults to `[2048, 128]`):
            Widths of the projector after the embedding, hidden layers first, with BatchNorm between them.
        num_prototypes (`list[int]`, *optional*, defaults to `[3000, 3000, 3000]`):
            Clusters of each head, each at most as many as there are training images.
        temperature (`float`, *optional*, defaults to 0.1): of the predictions.
        kmeans_iterations (`int`, *optional*, defaults to 10): at the start of every epoch.
        assigned_crops (`int`, *optional*, defaults to 2):
            How many of the global crops have their features kept; the heads cluster them in turn.
        memory_length (`int`, *optional*, defaults to 0):
            Number of training images whose features are kept. Set from the data at the start of a run; in a
            checkpoint it says how long its memory is.
    """

    model_type = "ssl_deepcluster_v2"

    projection_sizes: list[int] | tuple[int, ...] = (2048, 128)
    num_prototypes: list[int] | tuple[int, ...] = (3000, 3000, 3000)
    temperature: float | int = 0.1
    kmeans_iterations: int = 10
    assigned_crops: int = 2
    memory_length: int = 0

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_above_zero("temperature", "kmeans_iterations", "assigned_crops")
        if not self.num_prototypes or min(self.num_prototypes) < 1:
            raise ValueError(
                "DeepClusterV2Config.num_prototypes must name at least one cluster for each of one or more heads, "
                f"got {list(self.num_prototypes)}."
            )
        if self.memory_length < 0:
            raise ValueError(f"DeepClusterV2Config.memory_length must not be below 0, got {self.memory_length}.")
