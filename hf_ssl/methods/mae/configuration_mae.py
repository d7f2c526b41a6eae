"""Configuration of MAE (arXiv:2111.06377)."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig
from ...encoders import ENCODERS


@strict
class MAEConfig(SSLConfig):
    r"""
    Masked autoencoder: encode a quarter of the patches, reconstruct the pixels of the others.

    Defaults are those of the official ViT-B run; further fields are those of [`SSLConfig`].

    Args:
        decoder_hidden_size (`int`, *optional*, defaults to 512): table 1b.
        decoder_num_hidden_layers (`int`, *optional*, defaults to 8): table 1a.
        decoder_num_attention_heads (`int`, *optional*, defaults to 16)
        decoder_intermediate_size (`int`, *optional*, defaults to 2048)
        norm_pix_loss (`bool`, *optional*, defaults to `True`):
            Normalise the target pixels of each patch by its own mean and (unbiased) variance (table 1d).
        freeze_position_embeddings (`bool`, *optional*, defaults to `True`):
            Keep the encoder's sine-cosine positions fixed, as the official code does.
        pooling (`str`, *optional*, defaults to `"mean"`):
            The embedding is the norm of the mean patch, which the paper fine-tunes on; `None` for CLS.
    """

    model_type = "ssl_mae"

    decoder_hidden_size: int = 512
    decoder_num_hidden_layers: int = 8
    decoder_num_attention_heads: int = 16
    decoder_intermediate_size: int = 2048
    norm_pix_loss: bool = True
    freeze_position_embeddings: bool = True
    pooling: str | None = "mean"

    def __post_init__(self, **kwargs):
        backbone = self.backbone_config
        kind = backbone.get("model_type") if isinstance(backbone, dict) else backbone and backbone.model_type
        if kind is not None and (kind not in ENCODERS or "mean" not in ENCODERS[kind].poolings):
            published = " (of an encoder that MAE published, take its folder pretraining/)" if kind == "beit" else ""
            raise ValueError(
                f"MAE drops patches before the encoder, which needs a plain ViT backbone, got {kind!r}{published}."
            )
        super().__post_init__(**kwargs)
        for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"):
            self.require_above_zero(f"decoder_{name}")
        if self.decoder_hidden_size % self.decoder_num_attention_heads:
            raise ValueError(
                f"MAEConfig.decoder_hidden_size must be a multiple of decoder_num_attention_heads, got "
                f"{self.decoder_hidden_size} and {self.decoder_num_attention_heads}."
            )
        backbone = self.backbone_config
        if backbone.image_size % backbone.patch_size:
            raise ValueError(
                f"MAE needs image_size divisible by patch_size, got {backbone.image_size} and {backbone.patch_size}."
            )
