"""Configuration of VideoMAE (arXiv:2203.12602)."""

from typing import ClassVar

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig
from transformers.configuration_utils import SubConfigSpec

from ...configuration_utils import SSLConfig


@strict
class SSLVideoMAEConfig(SSLConfig):
    r"""
    Masked autoencoder of clips: encode a tenth of the tubelets, the same places in all frames, and reconstruct the
    pixels of the others.

    Defaults are those of the official ViT-B run; further fields are those of [`SSLConfig`], with a `VideoMAEConfig` as
    `backbone_config`.

    Args:
        decoder_hidden_size (`int`, *optional*, defaults to 384): table 1 and the official code.
        decoder_num_hidden_layers (`int`, *optional*, defaults to 4)
        decoder_num_attention_heads (`int`, *optional*, defaults to 6)
        decoder_intermediate_size (`int`, *optional*, defaults to 1536)
        norm_pix_loss (`bool`, *optional*, defaults to `True`):
            Normalise the target pixels of each tubelet, channel by channel, by their own mean and deviation.
    """

    model_type = "ssl_videomae"
    sub_configs_defaults: ClassVar[dict] = {"backbone_config": SubConfigSpec(AutoConfig, model_type="videomae")}

    decoder_hidden_size: int = 384
    decoder_num_hidden_layers: int = 4
    decoder_num_attention_heads: int = 6
    decoder_intermediate_size: int = 1536
    norm_pix_loss: bool = True

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        clips = self.backbone_config
        if clips.model_type != "videomae":
            raise ValueError(f"VideoMAE trains a 'videomae' encoder, got {clips.model_type!r}.")
        for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"):
            self.require_above_zero(f"decoder_{name}")
        if self.decoder_hidden_size % self.decoder_num_attention_heads:
            raise ValueError(
                "SSLVideoMAEConfig.decoder_hidden_size must be a multiple of decoder_num_attention_heads, got "
                f"{self.decoder_hidden_size} and {self.decoder_num_attention_heads}."
            )
        if clips.image_size % clips.patch_size or clips.num_frames % clips.tubelet_size:
            raise ValueError(
                f"VideoMAE cuts clips into whole tubelets: {clips.num_frames} frames of {clips.image_size} pixels "
                f"must be multiples of tubelet_size {clips.tubelet_size} and patch_size {clips.patch_size}."
            )
