"""Configuration of InfoMin (arXiv:2005.10243)."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig


@strict
class InfoMinConfig(SSLConfig):
    r"""
    InfoMin: MoCo v2 on views that share less, and a second query made of shuffled patches of the image (PIRL).

    Defaults are those of the official code, `--method InfoMin` of PyContrast; further fields are those of
    [`SSLConfig`].

    Args:
        projection_sizes (`list[int]`, *optional*, defaults to `[2048, 128]`):
            Widths of the projector after the embedding, hidden layers first, without BatchNorm; and of the same MLP
            over each patch.
        jigsaw_patches (`int`, *optional*, defaults to 9):
            Patches of an image, the square of the image processor's `jigsaw_grid`; 0 for no second query.
        jigsaw_weight (`float`, *optional*, defaults to 0.5):
            Of the patches' loss; the views' has 1 minus this (`--beta` of the official code).
        queue_length (`int`, *optional*, defaults to 65536):
            Keys of the past that serve as negatives. At most as many as there are training images.
        target_momentum (`float`, *optional*, defaults to 0.999): of the key encoder, constant.
        temperature (`float`, *optional*, defaults to 0.15): of both losses.
        shuffle_batch_norm (`bool`, *optional*, defaults to `True`):
            Mix the samples of all processes before the key encoder, where that has BatchNorm.
    """

    model_type = "ssl_infomin"

    projection_sizes: list[int] | tuple[int, ...] = (2048, 128)
    jigsaw_patches: int = 9
    jigsaw_weight: float | int = 0.5
    queue_length: int = 65536
    target_momentum: float | int = 0.999
    temperature: float | int = 0.15
    shuffle_batch_norm: bool = True

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_above_zero("temperature", "queue_length")
        self.require_share("target_momentum", "jigsaw_weight")
        if self.jigsaw_patches < 0:
            raise ValueError(f"InfoMinConfig.jigsaw_patches must be at least 0, got {self.jigsaw_patches}.")
