"""Configuration of BEiT (arXiv:2106.08254)."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig


@strict
class BEiTConfig(SSLConfig):
    r"""
    BEiT: predict the visual words of masked patches.

    The words are centroids of k-means over the pixels of patches, which are found once, before training. The paper's
    are those of a discrete variational autoencoder, whose weights this package does not have.

    Args:
        vocab_size (`int`, *optional*, defaults to 8192): number of words (section 2.1).
        tokenizer_patches (`int`, *optional*, defaults to 131072): patches that k-means sees.
        tokenizer_patches_per_image (`int`, *optional*, defaults to 16): at most so many of them from an image.
        tokenizer_iterations (`int`, *optional*, defaults to 20): of k-means.
        tokenizer_normalizes (`bool`, *optional*, defaults to `False`):
            Take its own mean and standard deviation off each patch before it gets a word.
        drop_path_rate (`float`, *optional*, defaults to 0.1): stochastic depth (table 7).
        pooling (`str`, *optional*, defaults to `"mean"`):
            The embedding is the norm of the mean patch, for nothing trains CLS by itself. Encoders other than a ViT
            have their own embedding, and take `None`: a BEiT pools the patches with `use_mean_pooling`.
    """

    model_type = "ssl_beit"

    vocab_size: int = 8192
    tokenizer_patches: int = 2**17
    tokenizer_patches_per_image: int = 16
    tokenizer_iterations: int = 20
    tokenizer_normalizes: bool = False
    drop_path_rate: float | int = 0.1
    pooling: str | None = "mean"

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_maskable()
        self.require_above_zero("vocab_size", "tokenizer_patches_per_image", "tokenizer_iterations")
        self.require_share("drop_path_rate")
        if self.tokenizer_patches < self.vocab_size:
            raise ValueError(
                f"BEiTConfig.tokenizer_patches must be at least vocab_size, got {self.tokenizer_patches} and "
                f"{self.vocab_size}."
            )
