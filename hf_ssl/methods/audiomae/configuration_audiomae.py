"""Configuration of Audio-MAE (arXiv:2207.06405)."""

from typing import ClassVar

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig
from transformers.configuration_utils import SubConfigSpec

from ...configuration_utils import SSLConfig


@strict
class AudioMAEConfig(SSLConfig):
    r"""
    Masked autoencoder of sounds: encode a fifth of the patches of a spectrogram, reconstruct the others with a decoder
    that looks at neighbouring times and frequencies only.

    Defaults are those of the official ViT-B run; further fields are those of [`SSLConfig`], with an `ASTConfig` as
    `backbone_config` whose patches do not overlap (`frequency_stride = time_stride = patch_size`).

    Args:
        decoder_hidden_size (`int`, *optional*, defaults to 512)
        decoder_num_hidden_layers (`int`, *optional*, defaults to 16): section 4.2.
        decoder_num_attention_heads (`int`, *optional*, defaults to 16)
        decoder_intermediate_size (`int`, *optional*, defaults to 2048)
        decoder_window_size (`int`, *optional*, defaults to 4):
            Side in patches of the windows within which the decoder's layers attend; every second layer moves them by
            half of it along time. `None` lets every patch see every other, and suits 8 layers (table 1d).
        norm_pix_loss (`bool`, *optional*, defaults to `True`):
            Normalise the target of each patch by its own mean and (unbiased) variance.
        freeze_position_embeddings (`bool`, *optional*, defaults to `True`):
            Keep the encoder's sine-cosine positions fixed, as the official code does.
    """

    model_type = "ssl_audiomae"
    sub_configs_defaults: ClassVar[dict] = {
        "backbone_config": SubConfigSpec(AutoConfig, model_type="audio-spectrogram-transformer")
    }

    decoder_hidden_size: int = 512
    decoder_num_hidden_layers: int = 16
    decoder_num_attention_heads: int = 16
    decoder_intermediate_size: int = 2048
    decoder_window_size: int | None = 4
    norm_pix_loss: bool = True
    freeze_position_embeddings: bool = True

    def __post_init__(self, **kwargs):
        if self.backbone_config is None:
            self.backbone_config = {"model_type": "audio-spectrogram-transformer", "layer_norm_eps": 1e-6}
            self.backbone_config |= {"frequency_stride": 16, "time_stride": 16}
        super().__post_init__(**kwargs)
        sounds = self.backbone_config
        if sounds.model_type != "audio-spectrogram-transformer":
            raise ValueError(f"Audio-MAE trains an 'audio-spectrogram-transformer', got {sounds.model_type!r}.")
        for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"):
            self.require_above_zero(f"decoder_{name}")
        patch, strides = sounds.patch_size, (sounds.frequency_stride, sounds.time_stride)
        if strides != (patch, patch) or sounds.max_length % patch or sounds.num_mel_bins % patch:
            raise ValueError(
                "Audio-MAE cuts spectrograms into whole patches: frequency_stride and time_stride must be patch_size, "
                f"got {strides} and {patch}, and max_length {sounds.max_length} and num_mel_bins "
                f"{sounds.num_mel_bins} multiples of it."
            )
        if self.decoder_hidden_size % self.decoder_num_attention_heads or self.decoder_hidden_size % 4:
            raise ValueError(
                "AudioMAEConfig.decoder_hidden_size must be a multiple of 4 and of decoder_num_attention_heads, got "
                f"{self.decoder_hidden_size} and {self.decoder_num_attention_heads}."
            )
        grid, window = (sounds.num_mel_bins // patch, sounds.max_length // patch), self.decoder_window_size
        if window is not None and (window < 1 or any(side % min(side, window) for side in grid)):
            raise ValueError(
                f"AudioMAEConfig.decoder_window_size={window} does not divide {grid[0]} x {grid[1]} patches: choose "
                "num_mel_bins and max_length that are multiples of decoder_window_size * patch_size, or None."
            )
